"""Drafts on their way to being finalized: which is next, and which a brake holds."""

from datetime import datetime

from django.db.models import Case, Exists, F, Min, OuterRef, Q, QuerySet, When

from apps.invoices.models import Invoice, ParkReason
from apps.invoices.selectors import drafts

Kind = Invoice.Kind


def parked() -> QuerySet[Invoice]:
    return drafts().filter(parked_at__isnull=False)


def unreleased(invoice: Invoice) -> QuerySet[ParkReason]:
    return invoice.park_reasons.filter(released_at__isnull=True)


def due_drafts(now: datetime) -> QuerySet[Invoice]:
    """Drafts whose grace period has ended and that no brake holds, the oldest first.

    An opening stands where it opens: behind what ended by then, and before the cycle that rests on it, however
    short a change has made that. Else a pass would leave everything behind it to the next one.
    """
    comes_at = Case(When(kind=Kind.OPENING, then=F("period_start")), default=F("period_end"))
    due = drafts().filter(finalize_due_at__lte=now, parked_at__isnull=True)
    return due.order_by(comes_at, "kind", "id")


def earlier_draft_of(invoice: Invoice) -> Invoice | None:
    """A draft of the subscription that has to be finalized before this one.

    The opening of a trial comes at the trial's end: after the periods that ended before.
    """
    if invoice.kind == Kind.ONE_OFF:
        # It rests on no other, and no other on it.
        return None
    is_earlier = Q(period_end__lte=invoice.period_start)
    if invoice.kind == Kind.CYCLE:
        is_earlier |= Q(kind=Kind.OPENING, period_start__lt=invoice.period_end)
    others = drafts().exclude(kind=Kind.ONE_OFF).exclude(pk=invoice.pk)
    earlier = others.filter(is_earlier, subscription_id=invoice.subscription_id)
    return earlier.order_by("period_end", "id").first()


def next_finalization_at() -> datetime | None:
    """When the next grace period ends of the drafts that are first in their line and not parked.

    What waits behind another draft waits for it, however long ago its own grace ended.
    """
    earlier = (
        drafts()
        .exclude(kind=Kind.ONE_OFF)
        .filter(
            Q(period_end__lte=OuterRef("period_start"))
            | Q(kind=Kind.OPENING, period_start__lt=OuterRef("period_end")) & ~Q(pk=OuterRef("pk")),
            subscription=OuterRef("subscription"),
        )
    )
    first = drafts().filter(Q(kind=Kind.ONE_OFF) | ~Exists(earlier), parked_at__isnull=True)
    found: datetime | None = first.aggregate(at=Min("finalize_due_at"))["at"]
    return found
