"""Billing periods, computed from one anchor and never from the period before.

A period is half-open: it owns its start and not its end, and the end is the next one's start, so the
periods of a schedule tile time without a hole or an overlap. Boundary k is the anchor's local date plus k intervals
at the anchor's local time of day; months are clamped to the month's last day: an anchor on the 31st gives 30 April
and 31 May again. Local time is turned into an instant last, so a period that holds a change of clocks is an hour
shorter or longer. A date that a zone left out (30 December 2011 in Apia) has no period of its own.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MONTHS_A_YEAR = 12
DAYS_A_WEEK = 7
DAY, WEEK, MONTH = "day", "week", "month"


@dataclass(frozen=True, slots=True)
class Period:
    """`[start, end)`, UTC instants."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Interval:
    """So many days, weeks or months. A quarter is three months, a year twelve."""

    unit: str = MONTH
    count: int = 1

    @property
    def days(self) -> int | None:
        """None of months: they differ."""
        return {DAY: self.count, WEEK: self.count * DAYS_A_WEEK, MONTH: None}[self.unit]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where the boundaries of periods lie.

    `anchor` is a local wall time without zone; the first period may be the rest of the one in which a subscription
    starts. `day` is the day of the month that is meant where the anchor's own month was too short for it.
    """

    anchor: datetime
    time_zone: ZoneInfo
    interval: Interval = Interval()
    day: int | None = None

    def boundary(self, index: int) -> datetime:
        """The instant (UTC) of boundary `index`; 0 is the anchor, negative ones lie before it."""
        days = self.interval.days
        if days is not None:
            on = self.anchor.date() + timedelta(days=index * days)
        else:
            on = month_day(
                self.anchor.year * MONTHS_A_YEAR + self.anchor.month - 1 + index * self.interval.count,
                self.day or self.anchor.day,
            )
        # Of an hour that comes twice the first is meant (fold 0), but the anchor keeps the one it was in: it is an
        # instant that has been. An hour that is skipped moves on by the gap.
        fold = self.anchor.fold if index == 0 else 0
        local = self.anchor.replace(
            year=on.year, month=on.month, day=on.day, tzinfo=self.time_zone, fold=fold
        )
        return local.astimezone(UTC)

    def index_at(self, instant: datetime) -> int:
        """Of the period that contains `instant`."""
        local = instant.astimezone(self.time_zone)
        days = self.interval.days
        if days is not None:
            index = (local.date() - self.anchor.date()).days // days
        else:
            months = (local.year - self.anchor.year) * MONTHS_A_YEAR + local.month - self.anchor.month
            index = months // self.interval.count
        while self.boundary(index) > instant:
            index -= 1
        while self.boundary(index + 1) <= instant:
            index += 1
        return index

    def full_period_at(self, instant: datetime) -> Period:
        """The whole period, first one included, that contains `instant`."""
        index = self.index_at(instant)
        return Period(self.boundary(index), self.boundary(index + 1))

    def nearest_boundary(self, instant: datetime) -> datetime:
        """The earlier of two that are equally near."""
        period = self.full_period_at(instant)
        return period.start if instant - period.start <= period.end - instant else period.end


def month_day(months: int, day: int) -> date:
    """A day of the month that is `months` after the year 0 began, clamped to the month's last."""
    year, month = divmod(months, MONTHS_A_YEAR)
    return date(year, month + 1, min(day, calendar.monthrange(year, month + 1)[1]))


def calendar_schedule(started_at: datetime, time_zone: ZoneInfo, interval: Interval = Interval()) -> Schedule:
    """At local midnight: of the first of a month, of a Monday, of any day.

    Months that divide the year lie on the grid that begins on 1 January. Other multiples (every 5 months, every 2
    weeks, every 10 days) have no grid that people know, and are counted from the month, week or day of the start.
    """
    on = started_at.astimezone(time_zone).date()
    if interval.unit == MONTH:
        months = on.year * MONTHS_A_YEAR + on.month - 1
        if MONTHS_A_YEAR % interval.count == 0:
            months -= months % interval.count
        on = month_day(months, 1)
    elif interval.unit == WEEK:
        on -= timedelta(days=on.weekday())
    return Schedule(datetime.combine(on, time()), time_zone, interval)


def anniversary_schedule(
    started_at: datetime, time_zone: ZoneInfo, interval: Interval = Interval()
) -> Schedule:
    return Schedule(started_at.astimezone(time_zone).replace(tzinfo=None), time_zone, interval)


def day_of_month_schedule(
    started_at: datetime, time_zone: ZoneInfo, day: int, interval: Interval = Interval()
) -> Schedule:
    """Local midnight of the last such day at or before the start. Intervals of days or weeks begin there, too."""
    on = started_at.astimezone(time_zone).date()
    months = on.year * MONTHS_A_YEAR + on.month - 1
    anchor = month_day(months, day)
    if anchor > on:
        anchor = month_day(months - 1, day)
    return Schedule(datetime.combine(anchor, time()), time_zone, interval, day)


def local_midnight(instant: datetime, time_zone: ZoneInfo, *, days: int = 0) -> datetime:
    """Where the local day of `instant` began, or one so many days later."""
    on = instant.astimezone(time_zone).date() + timedelta(days=days)
    return datetime.combine(on, time(), tzinfo=time_zone).astimezone(UTC)
