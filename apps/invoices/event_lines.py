"""On which invoice lines one event stands, or why on none.

An invoice stores the instant usage was read, so an event is on the first line of its price and period that was read
after the event had come in: the usage line, or an adjustment for late usage. Drafts are read again when they are
finalized. What is voided later stays on a finalized line, and the next adjustment takes it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from apps.catalog.assign import taker_for, takers_of
from apps.catalog.models import Price
from apps.customers.selectors import team_billings_ending_after
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.selectors import USAGE_KINDS
from apps.invoices.services.lines import prices_of
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.usage.models import UsageEvent


@dataclass(frozen=True, slots=True)
class Counted:
    """A reading of the event: of which meter, with which dimension values, and since when it counts."""

    meter_id: int
    dimensions: Mapping[str, str]
    since: datetime


@dataclass(frozen=True, slots=True)
class Stands:
    """`line` holds it, and `taken_back_on` took it off again; without a line `state` says why.

    `price` takes it in `phase`, which is None when the customer had no subscription at its time.
    """

    meter_id: int
    state: str
    phase: SubscriptionPhase | None = None
    price: Price | None = None
    line: InvoiceLine | None = None
    taken_back_on: InvoiceLine | None = None


BILLED, UPCOMING, LATE, ENDED = "billed", "upcoming", "late", "ended"
UNPRICED, UNSUBSCRIBED, VOIDED, TAKEN_BACK = "unpriced", "unsubscribed", "voided", "taken_back"


def stands_of(event: UsageEvent, readings: Sequence[Counted], *, voided_at: datetime | None) -> list[Stands]:
    """One or more for each reading: several subscriptions may bill one meter, of the customer or of who pays for it.

    A fixed number of queries.
    """
    customer_ids = [event.customer_id, *payers_at(event)]
    phases = list(
        SubscriptionPhase.objects.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=event.timestamp),
            subscription__customer_id__in=customer_ids,
            starts_at__lte=event.timestamp,
        )
        .select_related("subscription__customer", "plan_version__plan")
        .order_by("subscription_id")
    )
    prices = prices_of({phase.plan_version_id for phase in phases})
    lines = list(
        InvoiceLine.objects.filter(
            invoice__customer_id__in=customer_ids,
            kind__in=USAGE_KINDS,
            price__meter_id__in={one.meter_id for one in readings},
            period_start__lte=event.timestamp,
            period_end__gt=event.timestamp,
        )
        .exclude(invoice__status=Invoice.Status.VOID)
        .select_related("invoice")
        .order_by("invoice__usage_cutoff_at", "invoice_id", "id")
    )
    found = []
    for reading in readings:
        found += [
            standing_in(reading, phase, prices[phase.plan_version_id], lines, voided_at) for phase in phases
        ] or [Stands(reading.meter_id, UNSUBSCRIBED)]
    priced = {one.meter_id for one in found if one.price is not None}
    return [one for one in found if one.price is not None or one.meter_id not in priced]


def payers_at(event: UsageEvent) -> list[int]:
    """Who paid for the customer at the time of the event: its parent, or nobody."""
    running = team_billings_ending_after(event.timestamp).filter(
        team_id=event.customer_id, starts_at__lte=event.timestamp
    )
    return list(running.values_list("payer_id", flat=True))


def standing_in(
    reading: Counted,
    phase: SubscriptionPhase,
    prices: list[Price],
    lines: list[InvoiceLine],
    voided_at: datetime | None,
) -> Stands:
    takers = takers_of(price for price in prices if price.meter_id == reading.meter_id)
    price = taker_for(takers, reading.dimensions)
    if price is None:
        return Stands(reading.meter_id, UNPRICED, phase)
    mine = [
        line
        for line in lines
        if line.price_id == price.pk and line.invoice.subscription_id == phase.subscription_id
    ]
    line = first_read_after(reading.since, mine)
    if voided_at is not None:
        if line is None or line.invoice.is_draft or line.invoice.usage_cutoff_at >= voided_at:
            return Stands(reading.meter_id, VOIDED, phase, price)
        back = first_read_after(voided_at, mine)
        return Stands(reading.meter_id, TAKEN_BACK, phase, price, line, back)
    if line is not None:
        return Stands(reading.meter_id, BILLED, phase, price, line)
    if phase.subscription.status != Subscription.Status.ACTIVE:
        return Stands(reading.meter_id, ENDED, phase, price)
    # After a threshold the cycle goes on.
    is_closed = any(one.invoice.kind == Invoice.Kind.CYCLE for one in mine)
    return Stands(reading.meter_id, LATE if is_closed else UPCOMING, phase, price)


def first_read_after(instant: datetime, lines: list[InvoiceLine]) -> InvoiceLine | None:
    return next(
        (one for one in lines if one.invoice.is_draft or one.invoice.usage_cutoff_at >= instant), None
    )
