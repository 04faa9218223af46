"""Reads of invoices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet, Sum

from apps.catalog.models import Price
from apps.core.errors import Missing
from apps.core.text import instant_text
from apps.invoices.models import BillingSettings, Invoice, InvoiceLine
from apps.rating import exact_sum
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.usage.models import ArchivedPartition

USAGE_KINDS = (InvoiceLine.Kind.USAGE, InvoiceLine.Kind.ADJUSTMENT)


@dataclass(frozen=True, slots=True)
class BilledUsage:
    """What finalized invoices charged for one price and period: the usage line and its adjustments together."""

    price_id: int
    plan_version_id: int
    period_start: datetime
    period_end: datetime
    quantity: Decimal
    event_count: int
    amount: Decimal


def billing_settings() -> BillingSettings:
    return BillingSettings.objects.get(pk=1)


def drafts() -> QuerySet[Invoice]:
    return Invoice.objects.filter(status=Invoice.Status.DRAFT)


def next_finalization_at() -> datetime | None:
    """When the next draft's grace period ends."""
    return drafts().aggregate(at=Min("finalize_due_at"))["at"]


def billed_usage_of(*, subscription: Subscription, before: datetime) -> list[BilledUsage]:
    """Usage on finalized invoices for periods that ended at or before `before`, oldest first.

    Drafts are left out: they are computed again when they are finalized and will find their late usage
    themselves. While an earlier draft waits nothing is given at all: it is the next invoice, and it takes the
    late usage of the periods before it. Void invoices charged nothing.

    Periods whose events are archived are closed for good: late events are refused there, and what reads single
    events would find none.
    """
    archived = ArchivedPartition.objects.filter(ends_at__gt=OuterRef("period_start"))
    if drafts().filter(subscription=subscription, kind=Invoice.Kind.CYCLE, period_end__lte=before).exists():
        return []
    lines = (
        InvoiceLine.objects.filter(
            invoice__subscription=subscription,
            kind__in=USAGE_KINDS,
            period_end__lte=before,
        )
        .exclude(invoice__status__in=[Invoice.Status.DRAFT, Invoice.Status.VOID])
        .exclude(Exists(archived))
        .values("price_id", "period_start", "period_end", plan_version_id=F("price__plan_version_id"))
        .annotate(quantity=Sum("quantity"), event_count=Sum("event_count"), amount=Sum("amount"))
        .order_by("period_start", "price_id")
    )
    return [BilledUsage(**line) for line in lines]


def billed_fees_of(
    *, subscription: Subscription, cycle: Period, fee_period: Period
) -> tuple[dict[int, Decimal], dict[int, Price]]:
    """Fees at the start that invoices before that of `cycle` billed for a fee period: amounts by price, and the prices.

    Lines on drafts count: they will be issued. Later invoices do not, so that a draft that is computed again after
    them says the same. A line belongs to the fee period in which it begins.
    """
    is_before = Q(invoice__kind=Invoice.Kind.CYCLE, invoice__period_start__lt=cycle.start) | Q(
        invoice__kind=Invoice.Kind.OPENING, invoice__period_start__lt=cycle.end
    )
    lines = (
        InvoiceLine.objects.filter(
            is_before,
            invoice__subscription=subscription,
            price__billing_timing=Price.Timing.ADVANCE,
            period_start__gte=fee_period.start,
            period_start__lt=fee_period.end,
        )
        .exclude(invoice__status=Invoice.Status.VOID)
        .select_related("price__plan_version", "price__meter")
        .prefetch_related("price__tiers")
        .order_by("invoice_id", "position")
    )
    amounts: dict[int, Decimal] = {}
    prices: dict[int, Price] = {}
    for line in lines:
        amounts[line.price_id] = amounts.get(line.price_id, Decimal(0)) + line.amount
        prices[line.price_id] = line.price
    return amounts, prices


UnpricedKey = tuple[str, tuple[tuple[str, str], ...], str, str]


def unpriced_key(meter_code: str, dimensions: Mapping[str, str], period: Period) -> UnpricedKey:
    return meter_code, tuple(sorted(dimensions.items())), instant_text(period.start), instant_text(period.end)


def unpriced_known_of(subscription: Subscription) -> dict[UnpricedKey, tuple[Decimal, int]]:
    """Usage that no price took and that finalized invoices of the subscription show: quantity and events."""
    known: dict[UnpricedKey, tuple[Decimal, int]] = {}
    invoices = Invoice.objects.filter(subscription=subscription).exclude(
        status__in=[Invoice.Status.DRAFT, Invoice.Status.VOID]
    )
    for rows in invoices.exclude(unpriced=[]).values_list("unpriced", flat=True):
        for row in rows:
            key = (
                row["meter"], tuple(sorted(row["dimensions"].items())), row["period_start"], row["period_end"]
            )  # fmt: skip
            quantity, event_count = known.get(key, (Decimal(0), 0))
            known[key] = (exact_sum([quantity, Decimal(row["quantity"])]), event_count + row["event_count"])
    return known


def invoice_by_reference(reference: str) -> Invoice:
    """Find by `inv_…` or by number. Raises `Missing` invoice_not_found."""
    field = "public_id" if reference.startswith("inv_") else "number"
    invoice = Invoice.objects.select_related("customer", "subscription").filter(**{field: reference}).first()
    if invoice is None:
        raise Missing("invoice_not_found", f"There is no invoice {reference!r}.")
    return invoice
