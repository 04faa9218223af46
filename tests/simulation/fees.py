"""What fees come to over a life: of the plan and of add-ons, for their time and number; and what is asked for once."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from apps.invoices.models import InvoiceLine
from tests.simulation.life import Attached, Life, Steps, Stretch
from tests.simulation.offers import Fee
from tests.simulation.used import ISSUED, rounded
from tests.simulation.world import MICROSECOND


class Source(NamedTuple):
    """The plan, or an add-on by its code; and where something about it changes."""

    code: str
    edges: set[datetime]


def check_fees(life: Life) -> None:
    """Over the whole life each fee is asked for its time and seats, give or take the rounding of lines."""
    every = InvoiceLine.objects.filter(
        invoice__subscription_id=life.subscription_id, kind__in=["flat", "credit"], invoice__status__in=ISSUED
    )
    plan = every.filter(price__plan_version__plan__kind="plan")
    check_setup(life, plan.filter(price__billing_timing="once"))
    check_source(life, Source("", life.edges()), plan)
    known = set(
        every.filter(price__plan_version__plan__kind="add_on").values_list(
            "price__plan_version__plan__code", flat=True
        )
    )
    for code in sorted(known | life.add_ons.keys()):
        lines = every.filter(price__plan_version__plan__code=code)
        check_source(life, Source(code, life.edges() | life.add_on(code).edges()), lines)
        check_once(life, code, lines.filter(price__billing_timing="once"))


def check_setup(life: Life, lines: QuerySet[InvoiceLine]) -> None:
    """Asked for with the opening or never; it comes back where the end was dated back before the opening."""
    asked = [one.amount for one in lines if one.kind == "flat"]
    back = [one.amount for one in lines if one.kind == "credit"]
    assert len(asked) <= 1, f"set-up fees of {life.customer}: {asked}"
    assert not back or (back == [-one for one in asked] and not life.has_opened), (
        f"set-up fees of {life.customer}: {asked}, back {back}\n{life}"
    )


def check_source(life: Life, source: Source, lines: QuerySet[InvoiceLine]) -> None:
    billed: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for timing, amount in lines.values_list("price__billing_timing", "amount"):
        billed[timing] += amount
        counts[timing] += 1
    for timing in ("arrears", "advance"):
        due, parts = expected_fees(life, source, timing)
        tolerance = Fraction(1, 100) * (counts[timing] + parts + 1)
        difference = abs(Fraction(Decimal(billed[timing])) - due)
        assert difference <= tolerance, (
            f"{timing} {source.code} of {life.customer}, subscription {life.subscription_id}: billed {billed[timing]}, "
            f"due {rounded(due)} give or take {rounded(tolerance)}\n{listed(lines, timing)}\n{life}"
        )


def listed(lines: QuerySet[InvoiceLine], timing: str) -> str:
    found = lines.filter(price__billing_timing=timing).select_related("invoice", "price")
    return "\n".join(
        f"{one.invoice.kind} {one.invoice.period_start} {one.price} {one.period_start} to {one.period_end}: "
        f"{one.amount}"
        for one in found.order_by("invoice__period_start", "position")
    )


def expected_fees(life: Life, source: Source, timing: str) -> tuple[Fraction, int]:
    assert life.ends_at is not None
    ends_at = life.ends_at
    due, parts = Fraction(0), 0
    for one in life.stretches("fees", ends_at):
        end = one.end
        edges = sorted({one.start, end, *(edge for edge in source.edges if one.start < edge < end)})
        spans = list(pairwise(edges))
        if timing == "advance" and life.is_unused_paid and end == ends_at:
            spans[-1] = (spans[-1][0], one.whole_end)
        # Whoever bills the last of it settles all of it, and counts in the zone of then.
        zone = life.zone.at(end - MICROSECOND)
        for begin, finish in spans:
            if life.treatment_at(begin) != "billed":
                continue
            share = share_of(begin, finish, one, life.offer_at(begin).proration, zone)
            for fee, number in fees_at(life, source.code, begin):
                if fee.timing == timing:
                    due, parts = due + Fraction(fee.amount) * number * share, parts + 1
    return due, parts


def fees_at(life: Life, code: str, instant: datetime) -> Iterator[tuple[Fee, int]]:
    """Each with how many times it is asked."""
    if not code:
        version_id, count = life.version.at(instant), life.seats.at(instant)
    else:
        attached = life.add_on(code).at(instant)
        if attached is None:
            return
        version_id, count = attached
    for fee in life.by_version[version_id].fees:
        yield fee, count if fee.is_per_seat else 1


def share_of(start: datetime, end: datetime, one: Stretch, proration: str, zone: ZoneInfo) -> Fraction:
    if proration == "day":
        dates = [edge.astimezone(zone).date() for edge in (start, end, one.whole_start, one.whole_end)]
        return Fraction((dates[1] - dates[0]).days, (dates[3] - dates[2]).days)
    return Fraction((end - start) // MICROSECOND, (one.whole_end - one.whole_start) // MICROSECOND)


def check_once(life: Life, code: str, lines: QuerySet[InvoiceLine]) -> None:
    """Where an add-on is first billed each time that it is attached. What an opening asked for does not come back."""
    found: dict[tuple[str, datetime], list[InvoiceLine]] = {}
    for line in lines.select_related("invoice", "price"):
        assert line.price is not None
        if line.kind == "credit":
            assert not life.has_opened, (
                f"{code} of {life.customer} gives back what was asked for once\n{life}"
            )
            continue
        found.setdefault((line.price.code, line.period_start), []).append(line)
    twice = {place: len(rows) for place, rows in found.items() if len(rows) > 1}
    assert not twice, f"{code} of {life.customer} is asked for more than once: {twice}"
    expected = {
        (fee.code, start): Fraction(fee.amount) * number
        for start in beginnings(life, life.add_on(code))
        for fee, number in fees_at(life, code, start)
        if fee.timing == "once"
    }
    wrong = []
    for place in sorted(found.keys() | expected.keys()):
        [line] = found.get(place, [None])
        if line is not None and line.invoice.kind == "opening":
            # What was changed or detached at the very start later than that is not known to it.
            continue
        if line is None or place not in expected or Fraction(line.amount) != expected[place]:
            wrong.append(f"{place}: billed {line and line.amount}, due {expected.get(place)}")
    assert not wrong, f"{code} of {life.customer}: {wrong}\n{life}"


def beginnings(life: Life, steps: "Steps[Attached | None]") -> Iterator[datetime]:
    assert life.ends_at is not None
    # Cancelled where it is billed already, it ends a moment later, and nobody had the add-on.
    long = [one for one in life.stretches("usage", life.ends_at) if one.end - one.start > MICROSECOND]
    edges = sorted({*steps.edges(), *life.edges(), life.started_at})
    is_known = False
    for edge in edges:
        is_attached = steps.at(edge) is not None
        if is_attached and not is_known and life.treatment_at(edge) == "billed":
            is_known = True
            if any(one.start <= edge < one.end for one in long):
                yield edge
        is_known = is_known and is_attached
