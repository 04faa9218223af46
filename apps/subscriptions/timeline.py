"""What counts when: the stages of a subscription's life, and the periods that follow from them.

Two kinds of periods are told apart. A cycle ends with an invoice of usage. A fee period is what a flat fee is asked
for; it is one cycle or several. An era is a time without a change of schedule: eras begin with a cycle of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from apps.subscriptions.periods import (
    Interval,
    Period,
    Schedule,
    anniversary_schedule,
    calendar_schedule,
    day_of_month_schedule,
)

BILLED, TRIAL_FEES, TRIAL_ALL, PAUSED = "billed", "trial_fees", "trial_all", "paused"
MICROSECOND = timedelta(microseconds=1)
CALENDAR, ANNIVERSARY, DAY_OF_MONTH = "calendar", "anniversary", "day_of_month"


@dataclass(frozen=True, slots=True)
class Moved:
    """A period that was open when the time zone changed: it ends where the new zone has it end, and is whole."""

    cycle_end: datetime | None = None
    fee_start: datetime | None = None
    fee_end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What a schedule follows from. Two neighbouring stages with one basis are of one era."""

    fees: Interval
    usage: Interval
    anchored_at: datetime
    time_zone: ZoneInfo
    moved: Moved = Moved()


@dataclass(frozen=True, slots=True)
class Stage:
    """A phase as a value: which version counts, for how many seats, and whether it is free."""

    start: datetime
    end: datetime | None
    version_id: int
    quantity: int
    treatment: str
    basis: Basis
    proration: str

    @property
    def has_fees(self) -> bool:
        return self.treatment == BILLED


@dataclass(frozen=True, slots=True)
class AddOn:
    """From when to when an add-on is attached, so many times. Of one plan no two overlap.

    `fees` is what its fees are for; a stage with fees for another interval can't have it.
    """

    plan_id: int
    start: datetime
    end: datetime | None
    version_id: int
    quantity: int
    fees: Interval

    def counts_at(self, instant: datetime) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)


@dataclass(frozen=True, slots=True)
class Era:
    """`since` is where fees of its first period begin; before `start` only when that was moved to another zone.

    With `is_continued` the next era goes on with the fee period that is open at the end: only the zone is another.
    """

    start: datetime
    end: datetime | None
    since: datetime
    fees: Schedule
    usage: Schedule
    moved: Moved
    is_continued: bool = False

    def fee_span_start(self, fee_start: datetime) -> datetime:
        return max(fee_start, self.since)


@dataclass(frozen=True)
class Timeline:
    """`ends_at` cuts it off; unless `is_unused_paid`, what is unused by then of a fee at the start comes back."""

    stages: Sequence[Stage]
    anchor: str
    anchor_day: int | None = None
    ends_at: datetime | None = None
    is_unused_paid: bool = False
    # By plan and then by time.
    add_ons: tuple[AddOn, ...] = ()

    @cached_property
    def eras(self) -> list[Era]:
        eras: list[Era] = []
        former: Stage | None = None
        for stage in self.stages:
            if former is None or former.basis != stage.basis:
                since = stage.start
                if eras:
                    assert former is not None
                    is_same = (former.basis.fees, former.basis.usage) == (stage.basis.fees, stage.basis.usage)
                    fee_start = stage.basis.moved.fee_start
                    is_continued = is_same and fee_start is not None
                    if is_same and fee_start is not None:
                        since = eras[-1].fee_span_start(fee_start)
                    eras[-1] = replace(eras[-1], end=stage.start, is_continued=is_continued)
                fees = self.schedule(stage.basis)
                usage = replace(fees, interval=stage.basis.usage)
                eras.append(Era(stage.start, None, since, fees, usage, stage.basis.moved))
            former = stage
        return eras

    def schedule(self, basis: Basis) -> Schedule:
        """That of fees. The one of usage has the same anchor, so that a fee's boundary is one of usage as well."""
        if self.anchor == ANNIVERSARY:
            return anniversary_schedule(basis.anchored_at, basis.time_zone, basis.fees)
        if self.anchor == DAY_OF_MONTH:
            return day_of_month_schedule(basis.anchored_at, basis.time_zone, self.anchor_day or 1, basis.fees)
        return calendar_schedule(basis.anchored_at, basis.time_zone, basis.fees)

    def era_at(self, instant: datetime) -> Era:
        return next((era for era in reversed(self.eras) if era.start <= instant), self.eras[0])

    def stage_at(self, instant: datetime) -> Stage:
        return next((one for one in reversed(self.stages) if one.start <= instant), self.stages[0])

    def cycle_at(self, instant: datetime) -> Period:
        """The period with an invoice of its own that contains `instant`; cut by the start, the end and new eras."""
        era = self.era_at(instant)
        first_end = era.moved.cycle_end
        if first_end is not None and instant < first_end:
            period = Period(era.start, first_end)
        else:
            full = era.usage.full_period_at(instant)
            period = Period(max(full.start, era.start, first_end or era.start), full.end)
        ends = [end for end in (period.end, era.end, self.ends_at) if end is not None and end > instant]
        return Period(period.start, min(ends))

    def fee_period_at(self, instant: datetime) -> Period:
        """The whole of the fee period, also where the subscription is on it for a part only: what shares are of."""
        era = self.era_at(instant)
        moved = era.moved
        if moved.fee_start is not None and moved.fee_end is not None and instant < moved.fee_end:
            return Period(moved.fee_start, moved.fee_end)
        full = era.fees.full_period_at(instant)
        return Period(max(full.start, moved.fee_end or full.start), full.end)

    def fee_span_at(self, instant: datetime) -> Period:
        """The part of the fee period that begins with the start, or with a new era, and is not cut at its end."""
        era = self.era_at(instant)
        full = self.fee_period_at(instant)
        is_moved = era.moved.fee_end is not None and instant < era.moved.fee_end
        return Period(max(full.start, era.since if is_moved else era.start), full.end)

    def renewal_at(self, instant: datetime) -> datetime:
        """When what is paid at `instant` ends: with the fee period, or with a new era before that."""
        era = self.era_at(instant)
        end = self.fee_period_at(instant).end
        return end if era.end is None else min(end, era.end)

    def stops_at(self, end: datetime) -> bool:
        """Whether a cycle that ends there is the last one of its schedule, wherever its fee period would end."""
        return end == self.ends_at or any(era.end == end and not era.is_continued for era in self.eras)

    def last_cycle_before(self, start: datetime) -> Period | None:
        """Of the schedule that stops where another one starts; None where none does."""
        era = next((era for era in self.eras if era.end == start and not era.is_continued), None)
        return None if era is None else self.cycle_at(start - MICROSECOND)

    @property
    def opens_at(self) -> datetime | None:
        """When fees are first asked for: at the start, or when the trial is over."""
        first = next((one for one in self.stages if one.has_fees), None)
        if first is None or (self.ends_at is not None and first.start >= self.ends_at):
            return None
        return first.start

    def usage_stages(self, period: Period) -> list[Stage]:
        """Cut along the stages; a change of seats, or the end of a trial of fees, cuts no usage."""
        return merged(self.between(period), by_usage=True)

    def fee_stages(self, cycle: Period) -> list[Stage]:
        """The fee period that `cycle` belongs to, as an invoice for the cycle knows it.

        It knows what began before its end. What counts then is taken to go on to the end of the fee period, unless
        the schedule stops. Later changes are the later invoices' to settle, so an invoice that is computed again
        after such a change says the same.
        """
        span = self.fee_span_at(cycle.start)
        until = cycle.end if self.stops_at(cycle.end) else span.end
        known = self.between(Period(span.start, min(cycle.end, until)))
        known[-1] = replace(known[-1], end=max(until, cycle.end))
        return merged(known, by_usage=False)

    def between(self, period: Period) -> list[Stage]:
        found = []
        for stage in self.stages:
            start = max(stage.start, period.start)
            end = period.end if stage.end is None else min(stage.end, period.end)
            if start < end:
                found.append(replace(stage, start=start, end=end))
        assert found, "a subscription's phases cover its life"
        return found


def merged(stages: list[Stage], *, by_usage: bool) -> list[Stage]:
    found: list[Stage] = []
    for stage in stages:
        if found and key_of(found[-1], by_usage) == key_of(stage, by_usage):
            found[-1] = replace(found[-1], end=stage.end)
        else:
            found.append(stage)
    return found


def key_of(stage: Stage, by_usage: bool) -> tuple[object, ...]:
    if by_usage:
        return stage.version_id, stage.treatment in (BILLED, TRIAL_FEES), stage.treatment == PAUSED
    return stage.version_id, stage.quantity, stage.treatment
