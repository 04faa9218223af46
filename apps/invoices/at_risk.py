"""What the events in quarantine would roughly have cost: an estimate, to know what to look at first.

An event counts as much as one of its name did on average on the latest invoices: those of its customer, or of who
pays for it, where it has become known and was billed, else all of them, in the currency that most such events were
billed in. Events whose name was never billed have no estimate.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from apps.core.admin.registry import register_facts
from apps.core.money import money_display
from apps.customers.models import TeamBilling
from apps.invoices.models import Invoice, InvoiceLine
from apps.rating import round_amount
from apps.usage.models import QuarantinedEvent
from apps.usage.selectors.quarantine import WaitingGroup

INVOICES = 2_000
ZERO = Decimal(0)


@dataclass(slots=True)
class Billed:
    """Of one event name and currency. An event counts for several meters, so it is there as often as for one."""

    amount: Decimal = ZERO
    events: int = 0

    def add(self, amount: Decimal, events: int) -> None:
        self.amount += amount
        self.events = max(self.events, events)


@dataclass(frozen=True, slots=True)
class AtRisk:
    """`amounts` by currency, the largest first. `estimated` of `waiting` events have a price."""

    amounts: list[tuple[str, Decimal]]
    estimated: int
    waiting: int


def at_risk(groups: Iterable[WaitingGroup]) -> AtRisk:
    """Two queries, one over the latest INVOICES invoices."""
    asked = list(groups)
    payers = payers_of({group.customer_id for group in asked if group.customer_id is not None})
    of_customer, of_all = averages({group.event_name for group in asked})
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    estimated = 0
    for group in asked:
        price = (
            of_customer.get((payers.get(group.customer_id), group.event_name))
            or of_customer.get((group.customer_id, group.event_name))
            or of_all.get(group.event_name)
        )
        # What no meter reads would cost nothing as it is.
        if price is None or group.reason != QuarantinedEvent.Reason.UNKNOWN_CUSTOMER:
            continue
        currency, average = price
        amounts[currency] += average * group.count
        estimated += group.count
    rows = [(currency, round_amount(amount, currency)) for currency, amount in amounts.items()]
    return AtRisk(
        sorted(rows, key=lambda one: (-one[1], one[0])), estimated, sum(group.count for group in asked)
    )


def payers_of(customer_ids: set[int]) -> dict[int | None, int]:
    """Who pays for a team, or did last."""
    rows = TeamBilling.objects.filter(team_id__in=customer_ids).order_by("starts_at")
    return dict(rows.values_list("team_id", "payer_id")) if customer_ids else {}


Average = tuple[str, Decimal]


def averages(event_names: set[str]) -> tuple[dict[tuple[int | None, str], Average], dict[str, Average]]:
    """What an event of a name cost on average: by customer and name, and by name."""
    latest = Invoice.objects.exclude(status=Invoice.Status.VOID).order_by("-id").values("pk")[:INVOICES]
    rows = (
        InvoiceLine.objects.filter(
            invoice__in=latest,
            kind=InvoiceLine.Kind.USAGE,
            event_count__gt=0,
            price__meter__event_name__in=event_names,
        )
        .order_by()
        .values("invoice__customer_id", "price__meter_id", "price__meter__event_name", "invoice__currency")
        .annotate(sum=Sum("amount"), events=Sum("event_count"))
    )
    mine: defaultdict[tuple[int, str, str], Billed] = defaultdict(Billed)
    by_meter: defaultdict[tuple[str, str, int], Billed] = defaultdict(Billed)
    for row in rows:
        name, currency = row["price__meter__event_name"], row["invoice__currency"]
        mine[row["invoice__customer_id"], name, currency].add(row["sum"], row["events"])
        meter = by_meter[name, currency, row["price__meter_id"]]
        meter.amount += row["sum"]
        meter.events += row["events"]
    every: defaultdict[tuple[str, str], Billed] = defaultdict(Billed)
    for (name, currency, _), meter in by_meter.items():
        every[name, currency].add(meter.amount, meter.events)
    of_customer: dict[tuple[int | None, str], Average] = {
        (customer_id, name): (currency, billed.amount / billed.events)
        for (customer_id, name, currency), billed in mine.items()
    }
    of_all: dict[str, Average] = {}
    for (name, currency), billed in sorted(every.items(), key=lambda one: one[1].events):
        of_all[name] = currency, billed.amount / billed.events
    return of_customer, of_all


def facts(groups: Iterable[WaitingGroup]) -> dict[str, Any]:
    risk = at_risk(groups)
    if not risk.waiting:
        return {}
    text = " + ".join(money_display(amount, currency) for currency, amount in risk.amounts)
    if not text:
        note = "no event of these names has been billed for a known customer yet"
        return {"Money at risk": {"value": "unknown", "note": note}}
    of_all = "" if risk.estimated == risk.waiting else f" {risk.estimated:,} of {risk.waiting:,} events;"
    note = f"an estimate:{of_all} what such events cost on average on the latest invoices"
    return {"Money at risk": {"value": f"≈ {text}", "note": note}}


register_facts("usage.quarantinedevent.waiting", facts)
