"""Drafts on their way to being finalized: which is next, and which a brake holds."""

from datetime import datetime

from django.db.models import Case, Exists, F, Min, OuterRef, Q, QuerySet, Value, When

from apps.invoices.models import Invoice, ParkReason
from apps.invoices.selectors import drafts

Kind = Invoice.Kind
# Those that wait for no other draft.
FREE = (Kind.ONE_OFF, Kind.THRESHOLD)


def parked() -> QuerySet[Invoice]:
    return drafts().filter(parked_at__isnull=False)


def unreleased(invoice: Invoice) -> QuerySet[ParkReason]:
    return invoice.park_reasons.filter(released_at__isnull=True)


def due_drafts(now: datetime) -> QuerySet[Invoice]:
    """Drafts whose grace period has ended and that no brake holds, the oldest first.

    Those of thresholds wait for none, and their cycles' wait for them. An opening stands where it opens: behind what
    ended by then, and before the cycle that rests on it, however short a change has made that. Else a pass would
    leave everything behind it to the next one.
    """
    comes_at = Case(When(kind=Kind.OPENING, then=F("period_start")), default=F("period_end"))
    is_later = Case(When(kind=Kind.THRESHOLD, then=Value(0)), default=Value(1))
    due = drafts().filter(finalize_due_at__lte=now, parked_at__isnull=True)
    return due.order_by(is_later, comes_at, "kind", "id")


def earlier_draft_of(invoice: Invoice) -> Invoice | None:
    """A draft of the subscription that has to be finalized before this one.

    The opening of a trial comes at the trial's end: after the periods that ended before. What reached a threshold
    needs nothing of other cycles, and comes before the invoice of its own, which takes it off.
    """
    if invoice.kind in FREE:
        return None
    is_earlier = ~Q(kind__in=FREE) & Q(period_end__lte=invoice.period_start)
    if invoice.kind == Kind.CYCLE:
        is_earlier |= Q(kind=Kind.OPENING, period_start__lt=invoice.period_end)
        is_earlier |= Q(kind=Kind.THRESHOLD, period_start=invoice.period_start)
    earlier = drafts().filter(is_earlier, subscription_id=invoice.subscription_id).exclude(pk=invoice.pk)
    return earlier.order_by("period_end", "id").first()


def next_finalization_at() -> datetime | None:
    """When the next grace period ends of the drafts that are first in their line and not parked.

    What waits behind another draft waits for it, however long ago its own grace ended.
    """
    mine = drafts().filter(subscription=OuterRef("subscription"))
    earlier = mine.exclude(kind__in=FREE).filter(
        Q(period_end__lte=OuterRef("period_start"))
        | Q(kind=Kind.OPENING, period_start__lt=OuterRef("period_end")) & ~Q(pk=OuterRef("pk")),
    )
    ahead = mine.filter(kind=Kind.THRESHOLD, period_start=OuterRef("period_start"))
    waits = Q(Exists(earlier)) | Q(Exists(ahead), kind=Kind.CYCLE)
    first = drafts().filter(Q(kind__in=FREE) | ~waits, parked_at__isnull=True)
    found: datetime | None = first.aggregate(at=Min("finalize_due_at"))["at"]
    return found
