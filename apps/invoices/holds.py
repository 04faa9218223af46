"""From when on invoices still need the raw events: what keeps usage from being archived."""

from datetime import datetime, timedelta

from django.db.models import Case, DateTimeField, F, Max, Min, OuterRef, QuerySet, Subquery, Value, When

from apps.core import clock
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.selectors import drafts
from apps.subscriptions.models import Subscription
from apps.subscriptions.selectors import active_subscriptions
from apps.usage.models.settings import DEFAULT_BACKDATING_DAYS, UsageSettings

Kind, Status = Invoice.Kind, Invoice.Status
READ_EVENTS = (InvoiceLine.Kind.USAGE, InvoiceLine.Kind.ADJUSTMENT)


def drafts_need() -> datetime | None:
    """A draft is computed again when it is finalized. An opening reads no usage, late usage lies before its period."""
    late = InvoiceLine.objects.filter(invoice__in=drafts().filter(kind=Kind.LATE))
    starts = [
        one.aggregate(at=Min("period_start"))["at"] for one in (drafts().exclude(kind=Kind.OPENING), late)
    ]
    return min((at for at in starts if at is not None), default=None)


def open_invoices_need() -> datetime | None:
    """Whoever has to pay may ask which events it was: also those of earlier periods, where late ones are billed."""
    owed = Invoice.objects.filter(status=Status.OPEN, total__gt=0)
    starts = [
        owed.filter(kind=Kind.CYCLE).aggregate(at=Min("period_start"))["at"],
        InvoiceLine.objects.filter(invoice__in=owed, kind__in=READ_EVENTS).aggregate(at=Min("period_start"))[
            "at"
        ],
    ]
    return min((at for at in starts if at is not None), default=None)


def open_periods_need() -> datetime | None:
    found: datetime | None = active_subscriptions().aggregate(at=Min("invoiced_until"))["at"]
    return found


def late_events_need() -> datetime | None:
    """Late events of a period may come until its end lies farther back than the limit for backdating.

    They join the next invoice. So a period is needed until an invoice of its subscription was finalized after
    that; when the subscription has ended there is none to join, and time alone decides.
    """
    days = UsageSettings.objects.values_list("backdating_days", flat=True).first()
    backdating = timedelta(days=DEFAULT_BACKDATING_DAYS if days is None else days)
    last_read_at = (
        issued()
        .filter(subscription=OuterRef("subscription"))
        .order_by()
        .values("subscription")
        .annotate(at=Max("finalized_at"))
        .values("at")
    )
    read_at = Case(
        When(subscription__status=Subscription.Status.ACTIVE, then=Subquery(last_read_at)),
        default=Value(clock.now()),
        output_field=DateTimeField(),
    )
    found: datetime | None = (
        issued()
        .annotate(read_at=read_at)
        .filter(period_end__gt=F("read_at") - backdating)
        .aggregate(at=Min("period_start"))["at"]
    )
    return found


def issued() -> QuerySet[Invoice]:
    return Invoice.objects.filter(kind=Kind.CYCLE).exclude(status__in=[Status.DRAFT, Status.VOID])
