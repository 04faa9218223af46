"""The bill of a year anew: from the events that count and from what was asked for, without the product's computing.

Its own calendar says which cycles there should be, its own timeline which price takes an event, its own arithmetic
what that costs. What the product stored is read as rows of invoices and lines, and nothing else.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from apps.invoices.models import Invoice, InvoiceLine
from apps.usage.models import UsageEvent
from tests.simulation.life import Life, Part, Stretch
from tests.simulation.world import MICROSECOND, Event
from tests.simulation.year import Year

CENT = Decimal("0.01")


class Key(NamedTuple):
    """What is billed once: the usage of a subscription that a price takes in a part of a cycle."""

    subscription_id: int
    price_id: int
    start: datetime
    end: datetime


class Sum(NamedTuple):
    event_count: int
    quantity: Decimal
    amount: Decimal


NOTHING = Sum(0, Decimal(0), Decimal(0))


def check(year: Year) -> None:
    """Raises AssertionError with what differs."""
    assert not Invoice.objects.filter(status="draft").exists()
    assert UsageEvent.objects.values("event_id").distinct().count() == len(year.sent)
    found, expected = billed_usage(), {}
    for life in year.lives:
        cycles = check_cycles(life)
        expected |= expected_usage(life, cycles, year)
    check_usage(found, expected)
    for life in year.lives:
        check_fees(life)
        check_charges(life)
        check_ahead(life)
    check_numbers()


def issued() -> list[str]:
    return ["open", "paid", "uncollectible"]


def check_cycles(life: Life) -> list[tuple[datetime, datetime]]:
    """One invoice for each cycle of the calendar, from the start to the end."""
    rows = Invoice.objects.filter(
        subscription_id=life.subscription_id, kind="cycle", status__in=issued()
    ).values_list("period_start", "period_end")
    assert life.ends_at is not None
    expected = [(one.start, one.end) for one in life.stretches("usage", life.ends_at)]
    extra, missing = sorted(set(rows) - set(expected)), sorted(set(expected) - set(rows))
    assert sorted(rows) == expected, (
        f"cycles of {life.customer}, subscription {life.subscription_id} ({life.anchor} {life.day}):\n"
        + "\n".join(
            [*(f"too many {start} to {end}" for start, end in extra)]
            + [f"missing {start} to {end}" for start, end in missing]
        )
    )
    return expected


def billed_usage() -> dict[Key, Sum]:
    """Usage and adjustments on all invoices that are not void, but for what was billed ahead of its cycle."""
    found: dict[Key, Sum] = {}
    lines = InvoiceLine.objects.filter(
        kind__in=["usage", "adjustment"], invoice__kind__in=["cycle", "late"], invoice__status__in=issued()
    )
    for *key, count, quantity, amount in lines.values_list(
        "invoice__subscription_id",
        "price_id",
        "period_start",
        "period_end",
        "event_count",
        "quantity",
        "amount",
    ):
        so_far = found.get(Key(*key), NOTHING)
        found[Key(*key)] = Sum(so_far.event_count + count, so_far.quantity + quantity, so_far.amount + amount)
    return found


def expected_usage(life: Life, cycles: list[tuple[datetime, datetime]], year: Year) -> dict[Key, Sum]:
    mine = [event for event in year.counting.values() if event.customer == life.customer]
    found: dict[Key, Sum] = {}
    for cycle in cycles:
        for part in life.usage_parts(*cycle):
            if part.treatment != "paused":
                found |= expected_of(life, part, mine, year)
    return found


def expected_of(life: Life, part: Part, events: Iterable[Event], year: Year) -> dict[Key, Sum]:
    offer = life.by_version[part.version_id]
    inside = [event for event in events if part.start <= event.at < part.end]
    found = {}
    for price in offer.metered:
        taken = [event for event in inside if offer.takes(price.meter, event.model) == price]
        quantity = sum((event.tokens for event in taken), Decimal(0))
        if price.meter == "calls":
            quantity = Decimal(len(taken))
        cost = Fraction(0) if part.treatment == "trial_all" else price.cost(quantity)
        key = Key(
            life.subscription_id, year.shop.price_ids[part.version_id, price.code], part.start, part.end
        )
        found[key] = Sum(len(taken), quantity, rounded(cost))
    return found


def rounded(exact: Fraction) -> Decimal:
    """Half away from nothing, to the cent."""
    sign = -1 if exact < 0 else 1
    precise = sign * Decimal(abs(exact.numerator) * 10**12 // exact.denominator) / 10**12
    return precise.quantize(CENT, ROUND_HALF_UP)


def check_usage(found: dict[Key, Sum], expected: dict[Key, Sum]) -> None:
    """Every event in one price and period, at what all of them cost; and nothing else."""
    wrong = []
    for key in sorted(found.keys() | expected.keys()):
        is_billed, is_due = found.get(key, NOTHING), expected.get(key, NOTHING)
        if key.end - key.start <= MICROSECOND and key not in found:
            # Cancelled where it was billed already, it ends a moment later, and nothing is asked for the moment.
            continue
        if key not in expected or is_billed != is_due:
            wrong.append(f"{key}: billed {is_billed}, due {is_due}")
    assert not wrong, "\n".join(wrong)


def check_fees(life: Life) -> None:
    """Over the whole life each fee is asked for its time and seats, give or take the rounding of lines."""
    lines = InvoiceLine.objects.filter(
        invoice__subscription_id=life.subscription_id,
        kind__in=["flat", "credit"],
        invoice__status__in=issued(),
    )
    billed: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for timing, amount in lines.values_list("price__billing_timing", "amount"):
        billed[timing] += amount
        counts[timing] += 1
    assert counts["once"] <= 1, f"set-up fees of {life.customer}: {counts['once']}"
    for timing in ("arrears", "advance"):
        due, parts = expected_fees(life, timing)
        tolerance = Fraction(1, 100) * (counts[timing] + parts + 1)
        difference = abs(Fraction(Decimal(billed[timing])) - due)
        assert difference <= tolerance, (
            f"{timing} of {life.customer}, subscription {life.subscription_id}: billed {billed[timing]}, "
            f"due {rounded(due)} give or take {rounded(tolerance)}\n{listed(lines, timing)}"
        )


def listed(lines: QuerySet[InvoiceLine], timing: str) -> str:
    found = lines.filter(price__billing_timing=timing).select_related("invoice", "price")
    return "\n".join(
        f"{one.invoice.kind} {one.invoice.period_start} {one.price} {one.period_start} to {one.period_end}: "
        f"{one.amount}"
        for one in found.order_by("invoice__period_start", "position")
    )


def check_charges(life: Life) -> None:
    """Each on one invoice, rounded by itself."""
    lines = InvoiceLine.objects.filter(
        invoice__subscription_id=life.subscription_id, kind="charge", invoice__status__in=issued()
    )
    billed = sorted(lines.values_list("amount", flat=True))
    assert billed == sorted(map(rounded, life.charges)), f"charges of {life.customer}"


def check_ahead(life: Life) -> None:
    """What invoices of thresholds charge their cycles take off, to the cent."""
    mine = Invoice.objects.filter(subscription_id=life.subscription_id, status__in=issued())
    charged = sum(mine.filter(kind="threshold").values_list("total", flat=True), Decimal(0))
    off = InvoiceLine.objects.filter(invoice__in=mine.filter(kind="cycle"), kind="billed_ahead")
    taken_off = sum(off.values_list("amount", flat=True), Decimal(0))
    assert charged + taken_off == 0, f"ahead of {life.customer}: charged {charged}, taken off {taken_off}"


def expected_fees(life: Life, timing: str) -> tuple[Fraction, int]:
    assert life.ends_at is not None
    ends_at = life.ends_at
    due, parts = Fraction(0), 0
    for one in life.stretches("fees", ends_at):
        end = one.end
        edges = sorted({one.start, end, *(edge for edge in life.edges() if one.start < edge < end)})
        spans = list(pairwise(edges))
        if timing == "advance" and life.is_unused_paid and end == ends_at:
            spans[-1] = (spans[-1][0], one.whole_end)
        # Whoever bills the last of it settles all of it, and counts in the zone of then.
        zone = life.zone.at(end - MICROSECOND)
        for begin, finish in spans:
            if life.treatment_at(begin) != "billed":
                continue
            offer = life.offer_at(begin)
            share = share_of(begin, finish, one, offer.proration, zone)
            for fee in offer.fees:
                if fee.timing == timing:
                    seats = life.seats.at(begin) if fee.is_per_seat else 1
                    due, parts = due + Fraction(fee.amount) * seats * share, parts + 1
    return due, parts


def share_of(start: datetime, end: datetime, one: Stretch, proration: str, zone: ZoneInfo) -> Fraction:
    if proration == "day":
        dates = [edge.astimezone(zone).date() for edge in (start, end, one.whole_start, one.whole_end)]
        return Fraction((dates[1] - dates[0]).days, (dates[3] - dates[2]).days)
    return Fraction((end - start) // MICROSECOND, (one.whole_end - one.whole_start) // MICROSECOND)


def check_numbers() -> None:
    """No gap and no number twice, whatever was killed."""
    numbers = sorted(
        int(one.rpartition("-")[2]) for one in Invoice.objects.values_list("number", flat=True) if one
    )
    years = {one.finalized_at.year for one in Invoice.objects.exclude(finalized_at=None)}
    if len(years) == 1:
        assert numbers == list(range(1, len(numbers) + 1))
