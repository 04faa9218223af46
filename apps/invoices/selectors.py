"""Reads of invoices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, Min, OuterRef, QuerySet, Sum

from apps.catalog.models import Price
from apps.core.errors import Missing
from apps.core.text import instant_text
from apps.invoices.models import BillingSettings, Invoice, InvoiceLine, TeamShare
from apps.rating import exact_sum
from apps.subscriptions.periods import Period
from apps.usage.models import ArchivedPartition

FOREVER = datetime.max.replace(tzinfo=UTC)
USAGE_KINDS = (InvoiceLine.Kind.USAGE, InvoiceLine.Kind.ADJUSTMENT)
FEE_KINDS = (InvoiceLine.Kind.FLAT, InvoiceLine.Kind.CREDIT)


@dataclass(frozen=True, slots=True)
class BilledShare:
    """What of it one customer had, where teams are billed with the payer."""

    quantity: Decimal
    event_count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class BilledUsage:
    """What finalized invoices charged for one price and period: the usage line and its adjustments together.

    `teams` by customer, the payer among them; empty where nobody else was billed with it.
    """

    price_id: int
    plan_version_id: int
    period_start: datetime
    period_end: datetime
    quantity: Decimal
    event_count: int
    amount: Decimal
    teams: Mapping[int, BilledShare] = field(default_factory=dict)


def billing_settings() -> BillingSettings:
    return BillingSettings.objects.get(pk=1)


def drafts() -> QuerySet[Invoice]:
    return Invoice.objects.filter(status=Invoice.Status.DRAFT)


def drafts_taking_late_usage() -> QuerySet[Invoice]:
    """Those that look at earlier periods once more when they are finalized."""
    return drafts().filter(kind__in=[Invoice.Kind.CYCLE, Invoice.Kind.LATE])


def next_finalization_at() -> datetime | None:
    """When the next draft's grace period ends."""
    return drafts().aggregate(at=Min("finalize_due_at"))["at"]


# A subscription and the instant before which is looked.
Before = tuple[int, datetime]


def billed_usage_of(asked: Sequence[Before]) -> list[list[BilledUsage]]:
    """For each, usage on finalized invoices for periods that ended at or before the instant, oldest first.

    Drafts are left out: they are computed again when they are finalized and will find their late usage
    themselves. While an earlier draft waits nothing is given at all: it is the next invoice, and it takes the
    late usage of the periods before it. Void invoices charged nothing.

    Periods whose events are archived are closed for good: late events are refused there, and what reads single
    events would find none. Three statements, however many are asked for.
    """
    waiting: dict[int, list[datetime]] = {}
    cycles = drafts().filter(
        subscription_id__in={subscription_id for subscription_id, _ in asked}, kind=Invoice.Kind.CYCLE
    )
    for subscription_id, period_end in cycles.order_by().values_list("subscription_id", "period_end"):
        waiting.setdefault(subscription_id, []).append(period_end)
    has_draft = [any(end <= before for end in waiting.get(one, [])) for one, before in asked]
    free = {one for (one, _), is_waiting in zip(asked, has_draft, strict=True) if not is_waiting}
    billed = usage_lines_of(free) if free else {}
    return [
        [] if is_waiting else [line for line in billed.get(one, []) if line.period_end <= before]
        for (one, before), is_waiting in zip(asked, has_draft, strict=True)
    ]


def usage_lines_of(subscription_ids: Collection[int]) -> dict[int, list[BilledUsage]]:
    archived = ArchivedPartition.objects.filter(ends_at__gt=OuterRef("period_start"))
    issued = (
        InvoiceLine.objects.filter(
            invoice__subscription_id__in=subscription_ids,
            # What threshold invoices charged the cycle's own invoice charges in full, and takes off.
            invoice__kind__in=[Invoice.Kind.CYCLE, Invoice.Kind.LATE],
            kind__in=USAGE_KINDS,
        )
        .exclude(invoice__status__in=[Invoice.Status.DRAFT, Invoice.Status.VOID])
        .exclude(Exists(archived))
        .order_by()
    )
    lines = list(
        issued.values(
            "price_id",
            "period_start",
            "period_end",
            subscription_id=F("invoice__subscription_id"),
            plan_version_id=F("price__plan_version_id"),
        )
        .annotate(quantity=Sum("quantity"), event_count=Sum("event_count"), amount=Sum("amount"))
        .order_by("period_start", "price_id")
    )
    shares = billed_shares_of(issued) if lines else {}
    found: dict[int, list[BilledUsage]] = {}
    for line in lines:
        row: dict[str, Any] = dict(line)
        key = row.pop("subscription_id"), row["price_id"], row["period_start"], row["period_end"]
        found.setdefault(key[0], []).append(BilledUsage(**row, teams=shares.get(key, {})))
    return found


# A subscription, a price and a period.
BilledKey = tuple[int, int, datetime, datetime]


def billed_shares_of(lines: QuerySet[InvoiceLine]) -> dict[BilledKey, dict[int, BilledShare]]:
    rows = (
        TeamShare.objects.filter(line__in=lines.values("pk"))
        .order_by()
        .values_list(
            "line__invoice__subscription_id", "line__price_id", "line__period_start", "line__period_end",
            "customer_id",
        )
        .annotate(quantity=Sum("quantity"), event_count=Sum("event_count"), amount=Sum("amount"))
    )  # fmt: skip
    found: dict[BilledKey, dict[int, BilledShare]] = {}
    for subscription_id, price_id, start, end, customer_id, *numbers in rows:
        key = subscription_id, price_id, start, end
        found.setdefault(key, {})[customer_id] = BilledShare(*numbers)
    return found


@dataclass(frozen=True, slots=True)
class FeeQuestion:
    """Which fees: those of a fee period that invoices before that of `cycle` billed.

    Where a new schedule cut the fee period off at `settled_from`, the invoices of that schedule may have settled it.
    `is_final`: the subscription ended with the cycle, and an opening for time after it comes back, with what it asked
    for once: that was not due yet.
    """

    subscription_id: int
    cycle: Period
    fee_period: Period
    settled_from: datetime | None = None
    is_final: bool = False

    @property
    def until(self) -> datetime:
        return FOREVER if self.is_final else self.fee_period.end

    def takes(
        self, kind: str, status: str, invoice_start: datetime, line_start: datetime, timing: str
    ) -> bool:
        """Later invoices of the same schedule do not count, so that a draft that is computed again after them says
        the same. A line belongs to the fee period in which it begins.
        """
        if self.is_final and kind == Invoice.Kind.OPENING and invoice_start >= self.cycle.end:
            # As a draft it will bill nothing.
            return status != Invoice.Status.DRAFT
        if timing == Price.Timing.ONCE or not self.fee_period.start <= line_start < self.fee_period.end:
            return False
        before = self.cycle.start if kind == Invoice.Kind.CYCLE else self.cycle.end
        if invoice_start < before:
            return True
        return self.settled_from is not None and line_start < self.settled_from <= invoice_start


def billed_fees_of(asked: Sequence[FeeQuestion]) -> dict[FeeQuestion, dict[int, Decimal]]:
    """For each, amounts by price. Lines on drafts count: they will be issued. One statement."""
    found: dict[FeeQuestion, dict[int, Decimal]] = {one: {} for one in asked}
    if not asked:
        return found
    lines = (
        InvoiceLine.objects.filter(
            invoice__subscription_id__in={one.subscription_id for one in asked},
            kind__in=FEE_KINDS,
            price__billing_timing__in=Price.Timing.values,
            period_start__gte=min(one.fee_period.start for one in asked),
            period_start__lt=max(one.until for one in asked),
        )
        .exclude(invoice__status=Invoice.Status.VOID)
        .order_by("invoice_id", "position")
        .values_list(
            "invoice__subscription_id",
            "invoice__kind",
            "invoice__status",
            "invoice__period_start",
            "period_start",
            "price__billing_timing",
            "price_id",
            "amount",
        )
    )
    by_subscription: dict[int, list[Any]] = {}
    for subscription_id, *line in lines:
        by_subscription.setdefault(subscription_id, []).append(line)
    for one, amounts in found.items():
        for *line, price_id, amount in by_subscription.get(one.subscription_id, []):
            if one.takes(*line):
                amounts[price_id] = amounts.get(price_id, Decimal(0)) + amount
    return found


UnpricedKey = tuple[str, tuple[tuple[str, str], ...], str, str, str]
UnpricedKnown = dict[UnpricedKey, tuple[Decimal, int]]


def unpriced_key(meter_code: str, dimensions: Mapping[str, str], period: Period, team: str) -> UnpricedKey:
    sides = instant_text(period.start), instant_text(period.end)
    return meter_code, tuple(sorted(dimensions.items())), *sides, team


def unpriced_known_of(subscription_ids: Collection[int]) -> dict[int, UnpricedKnown]:
    """Usage that no price took and that finalized invoices show: quantity and events, by subscription."""
    found: dict[int, UnpricedKnown] = {}
    if not subscription_ids:
        return found
    invoices = Invoice.objects.filter(
        subscription_id__in=subscription_ids, kind__in=[Invoice.Kind.CYCLE, Invoice.Kind.LATE]
    ).exclude(status__in=[Invoice.Status.DRAFT, Invoice.Status.VOID])
    stored = invoices.exclude(unpriced=[]).values_list("subscription_id", "unpriced")
    for subscription_id, rows in stored:
        known = found.setdefault(subscription_id, {})
        for row in rows:
            key = (
                row["meter"], tuple(sorted(row["dimensions"].items())), row["period_start"], row["period_end"],
                row.get("team") or "",
            )  # fmt: skip
            quantity, event_count = known.get(key, (Decimal(0), 0))
            known[key] = (exact_sum([quantity, Decimal(row["quantity"])]), event_count + row["event_count"])
    return found


def invoice_by_reference(reference: str) -> Invoice:
    """Find by `inv_…` or by number. Raises `Missing` invoice_not_found."""
    field = "public_id" if reference.startswith("inv_") else "number"
    invoice = Invoice.objects.select_related("customer", "subscription").filter(**{field: reference}).first()
    if invoice is None:
        raise Missing("invoice_not_found", f"There is no invoice {reference!r}.")
    return invoice
