"""What threshold invoices of a cycle have charged already: the rest of the cycle's invoices take it off."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q, QuerySet, Sum

from apps.invoices.models import Invoice, InvoiceLine, TeamShare
from apps.invoices.selectors import BilledShare
from apps.rating import exact_sum

Status = Invoice.Status
# A subscription and the start of a cycle: what its threshold invoices have in common.
CycleStart = tuple[int, datetime]


@dataclass(frozen=True, slots=True)
class BilledAhead:
    """Of one price: the net amount, the numbers of the invoices that charged it, and whether a draft is among them.

    `teams` by customer, as on billed usage.
    """

    price_id: int
    amount: Decimal
    numbers: tuple[str, ...]
    has_draft: bool = False
    teams: Mapping[int, BilledShare] = field(default_factory=dict)

    def plus(self, other: "BilledAhead") -> "BilledAhead":
        return BilledAhead(
            self.price_id,
            exact_sum([self.amount, other.amount]),
            tuple(sorted({*self.numbers, *other.numbers})),
            self.has_draft or other.has_draft,
            {
                one: added(self.teams.get(one, NOTHING), other.teams.get(one, NOTHING))
                for one in {*self.teams, *other.teams}
            },
        )


NOTHING = BilledShare(Decimal(0), 0, Decimal(0))


def added(one: BilledShare, other: BilledShare) -> BilledShare:
    return BilledShare(
        exact_sum([one.quantity, other.quantity]),
        one.event_count + other.event_count,
        exact_sum([one.amount, other.amount]),
    )


@dataclass(frozen=True, slots=True)
class AheadQuestion:
    """The invoice of a cycle takes off what drafts charge as well: they are issued before it."""

    cycle: CycleStart
    with_drafts: bool


def threshold_invoices() -> QuerySet[Invoice]:
    """Those that charge something."""
    return Invoice.objects.filter(kind=Invoice.Kind.THRESHOLD).exclude(status=Status.VOID)


def billed_ahead_of(asked: Collection[AheadQuestion]) -> dict[AheadQuestion, list[BilledAhead]]:
    """For each, one a price. Lines count net: what a threshold invoice took off itself, an earlier one had charged.

    One statement, however many are asked for, and one more where something was billed ahead.
    """
    found: dict[AheadQuestion, dict[int, BilledAhead]] = {one: {} for one in asked}
    lines = InvoiceLine.objects.filter(
        invoice__in=threshold_invoices().filter(
            subscription_id__in={one.cycle[0] for one in found},
            period_start__in={one.cycle[1] for one in found},
        )
    )
    by_cycle = rows_by_cycle(lines) if found else {}
    for question, by_price in found.items():
        for one in by_cycle.get(question.cycle, []):
            if question.with_drafts or not one.has_draft:
                known = by_price.get(one.price_id)
                by_price[one.price_id] = one if known is None else known.plus(one)
    return {question: list(by_price.values()) for question, by_price in found.items()}


def rows_by_cycle(lines: QuerySet[InvoiceLine]) -> dict[CycleStart, list[BilledAhead]]:
    """Drafts apart from what is issued."""
    rows = list(
        lines.order_by()
        .values_list("invoice__subscription_id", "invoice__period_start", "price_id", "invoice__status")
        .annotate(
            amount=Sum("amount"),
            numbers=ArrayAgg(
                "invoice__number", distinct=True, default=[], filter=Q(invoice__number__isnull=False)
            ),
        )
    )
    shares = shares_by_row(lines) if rows else {}
    found: dict[CycleStart, list[BilledAhead]] = {}
    for *key, amount, numbers in rows:
        subscription_id, start, price_id, status = key
        one = BilledAhead(
            price_id,
            amount,
            tuple(sorted(numbers)),
            has_draft=status == Status.DRAFT,
            teams=shares.get((subscription_id, start, price_id, status), {}),
        )
        found.setdefault((subscription_id, start), []).append(one)
    return found


RowKey = tuple[int, datetime, int, str]


def shares_by_row(lines: QuerySet[InvoiceLine]) -> dict[RowKey, dict[int, BilledShare]]:
    rows = (
        TeamShare.objects.filter(line__in=lines.values("pk"))
        .order_by()
        .values_list(
            "line__invoice__subscription_id", "line__invoice__period_start", "line__price_id",
            "line__invoice__status", "customer_id",
        )
        .annotate(quantity=Sum("quantity"), event_count=Sum("event_count"), amount=Sum("amount"))
    )  # fmt: skip
    found: dict[RowKey, dict[int, BilledShare]] = {}
    for subscription_id, start, price_id, status, customer_id, *numbers in rows:
        key = subscription_id, start, price_id, status
        found.setdefault(key, {})[customer_id] = BilledShare(*numbers)
    return found
