"""What quantities must be: a scan of the events as they were reported, in Python and with fractions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from tests.usage.totals import MICROSECOND, folded

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Reported:
    """One event of one customer: when, which level, with which dimension values."""

    at: datetime
    level: Decimal
    model: str
    region: str


def quantity_of(
    aggregation: str, events: Iterable[Reported], start: datetime, end: datetime, as_of: datetime
) -> Fraction:
    """What one meter measures of `[start, end)`, before it is rounded."""
    found = list(events)
    if aggregation == "time_weighted_sum":
        sets = {(one.model, one.region) for one in found}
        area = sum(
            (
                area_of([one for one in found if (one.model, one.region) == key], start, min(end, as_of))
                for key in sets
            ),
            Fraction(0),
        )
        return area / (HOUR // MICROSECOND)
    inside = [one for one in found if start <= one.at < end]
    if not inside:
        return Fraction(0)
    if aggregation == "count":
        return Fraction(len(inside))
    return folded(aggregation, [(one.at, format(one.level, "f")) for one in inside])


def area_of(events: Sequence[Reported], start: datetime, end: datetime) -> Fraction:
    """Level times microseconds: at each instant the level of the last event at or before it, zero before the first."""
    if start >= end:
        return Fraction(0)
    changes = sorted({one.at for one in events if start < one.at < end})
    area = Fraction(0)
    for begins, ends in zip([start, *changes], [*changes, end], strict=True):
        before = [(one.at, Fraction(one.level)) for one in events if one.at <= begins]
        level = max(before)[1] if before else Fraction(0)
        area += level * ((ends - begins) // MICROSECOND)
    return area


def count_of(
    aggregation: str, events: Iterable[Reported], start: datetime, end: datetime, as_of: datetime
) -> int:
    until = min(end, as_of) if aggregation == "time_weighted_sum" else end
    return sum(start <= one.at < until for one in events)


def rounded(exact: Fraction) -> Fraction:
    """To 18 decimals, half-even, as Python rounds fractions."""
    return Fraction(round(exact * 10**18), 10**18)
