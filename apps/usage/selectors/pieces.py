"""A period in pieces: whole days, whole hours at the edges, and what is left at the ragged ends."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Pieces:
    """`[start, end)` in pieces that don't overlap and leave nothing out. A ragged one lies within an hour."""

    days: list[Interval]
    hours: list[Interval]
    ragged: list[Interval]

    def by_kind(self) -> list[tuple[str, Interval]]:
        kinds = (("day", self.days), ("hour", self.hours), ("event", self.ragged))
        return [(kind, interval) for kind, intervals in kinds for interval in intervals]


def pieces_of(start: datetime, end: datetime) -> Pieces:
    """Cut a half-open interval along UTC hours and days."""
    hours_from, hours_to = ceil(start, HOUR), floor(end, HOUR)
    if hours_from > hours_to:
        return Pieces([], [], nonempty((start, end)))
    days_from, days_to = ceil(hours_from, DAY), floor(hours_to, DAY)
    ragged = nonempty((start, hours_from), (hours_to, end))
    if days_from >= days_to:
        return Pieces([], nonempty((hours_from, hours_to)), ragged)
    return Pieces([(days_from, days_to)], nonempty((hours_from, days_from), (days_to, hours_to)), ragged)


def pieces_before(start: datetime) -> Pieces:
    """The day of `start` until then, without a whole day."""
    hour = floor(start, HOUR)
    return Pieces([], nonempty((floor(start, DAY), hour)), nonempty((hour, start)))


def nonempty(*intervals: Interval) -> list[Interval]:
    return [interval for interval in intervals if interval[0] < interval[1]]


def floor(instant: datetime, step: timedelta) -> datetime:
    instant = instant.astimezone(UTC)
    if step == DAY:
        return instant.replace(hour=0, minute=0, second=0, microsecond=0)
    return instant.replace(minute=0, second=0, microsecond=0)


def ceil(instant: datetime, step: timedelta) -> datetime:
    down = floor(instant, step)
    return down if down == instant else down + step
