"""Billing periods, computed from one anchor and never from the period before.

A period is half-open: it owns its start and not its end, and the end is the next one's start, so the
periods of a subscription tile time without a hole or an overlap. Boundary k is the anchor's local date
plus k months at the anchor's local time of day, clamped to the month's last day: an anchor on the 31st
gives 30 April and 31 May again. Local time is turned into an instant last, so a period that holds a
change of clocks is an hour shorter or longer.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

MONTHS_A_YEAR = 12


@dataclass(frozen=True, slots=True)
class Period:
    """`[start, end)`, UTC instants."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where the boundaries of monthly periods lie.

    `anchor` is a local wall time without zone. On a calendar schedule it is the first of a month at
    midnight, and the first period is the rest of the month in which the subscription starts.
    """

    anchor: datetime
    time_zone: ZoneInfo

    def boundary(self, index: int) -> datetime:
        """The instant (UTC) of boundary `index`; 0 is the anchor, negative ones lie before it."""
        months = self.anchor.month - 1 + index
        year = self.anchor.year + months // MONTHS_A_YEAR
        month = months % MONTHS_A_YEAR + 1
        day = min(self.anchor.day, calendar.monthrange(year, month)[1])
        # Of an hour that comes twice the first is meant (fold 0), but the anchor keeps the one it was in: it is an
        # instant that has been. An hour that is skipped moves on by the gap.
        fold = self.anchor.fold if index == 0 else 0
        local = self.anchor.replace(year=year, month=month, day=day, tzinfo=self.time_zone, fold=fold)
        return local.astimezone(UTC)

    def full_period_at(self, instant: datetime) -> Period:
        """The whole period, first one included, that contains `instant`."""
        local = instant.astimezone(self.time_zone)
        index = (local.year - self.anchor.year) * MONTHS_A_YEAR + local.month - self.anchor.month
        while self.boundary(index) > instant:
            index -= 1
        while self.boundary(index + 1) <= instant:
            index += 1
        return Period(self.boundary(index), self.boundary(index + 1))


def calendar_schedule(started_at: datetime, time_zone: ZoneInfo) -> Schedule:
    first = started_at.astimezone(time_zone).date().replace(day=1)
    return Schedule(datetime.combine(first, time()), time_zone)


def anniversary_schedule(started_at: datetime, time_zone: ZoneInfo) -> Schedule:
    return Schedule(started_at.astimezone(time_zone).replace(tzinfo=None), time_zone)
