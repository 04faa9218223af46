"""What the simulation knows of a subscription by itself: values that change at instants, and its own calendar."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from tests.simulation.offers import Interval, Offer

T = TypeVar("T")
WEEK = timedelta(days=7)


class Steps(Generic[T]):
    """A value that changes at instants."""

    def __init__(self, start: datetime, first: T) -> None:
        self.changes: list[tuple[datetime, T]] = [(start, first)]

    def __repr__(self) -> str:
        return ", ".join(f"{start:%Y-%m-%d %H:%M:%S} {value}" for start, value in self.changes)

    def at(self, instant: datetime) -> T:
        index = bisect_right([start for start, _ in self.changes], instant)
        return self.changes[max(index - 1, 0)][1]

    def set_from(self, start: datetime, value: T, *, keeps_later: bool = False) -> None:
        later = [one for one in self.changes if keeps_later and one[0] > start]
        self.changes = [*(one for one in self.changes if one[0] < start), (start, value), *later]

    def set_between(self, start: datetime, end: datetime, value: T) -> None:
        after = self.at(end)
        later = [one for one in self.changes if one[0] > end]
        earlier = [one for one in self.changes if one[0] < start]
        self.changes = [*earlier, (start, value), (end, after), *later]

    def edges(self) -> set[datetime]:
        return {start for start, _ in self.changes}


class Stretch(NamedTuple):
    """`[start, end)` of a whole period: the same where nothing cut it."""

    start: datetime
    end: datetime
    whole_start: datetime
    whole_end: datetime


class Part(NamedTuple):
    start: datetime
    end: datetime
    version_id: int
    treatment: str


class Attached(NamedTuple):
    version_id: int
    count: int


@dataclass
class Life:
    """Of one subscription. Fees are `billed` alone, usage is taken unless `paused`, and free in a `trial_all`."""

    subscription_id: int
    customer: str
    anchor: str
    day: int | None
    started_at: datetime
    version: Steps[int]
    seats: Steps[int]
    is_paused: Steps[bool]
    zone: Steps[ZoneInfo]
    by_version: dict[int, Offer] = field(repr=False)
    trial_ends_at: datetime | None = None
    trial: str = ""
    ends_at: datetime | None = None
    is_unused_paid: bool = False
    is_over: bool = False
    # What is asked for beside the plan, each once.
    charges: dict[int, Fraction] = field(default_factory=dict)
    # By plan: which version of an add-on is attached, and how many times; or none.
    add_ons: "dict[str, Steps[Attached | None]]" = field(default_factory=dict)
    # In which zone the schedule is anchored that begins with a version.
    anchored_in: dict[datetime, ZoneInfo] = field(default_factory=dict)

    def change_version(self, start: datetime, version_id: int) -> None:
        self.version.set_from(start, version_id)
        self.anchored_in[start] = self.zone.changes[-1][1]

    def replace_versions(self, start: datetime, replaced: set[int], version_id: int) -> None:
        """From `start` on it counts in place of these; a change to another plan that is to come stays."""
        later = [one for one in self.version.changes if one[0] > start]
        if self.version.at(start) in replaced:
            self.change_version(start, version_id)
        else:
            self.version.changes = [one for one in self.version.changes if one[0] <= start]
        self.version.changes += [(at, version_id if one in replaced else one) for at, one in later]

    def change_zone(self, cursor: datetime, zone: ZoneInfo) -> None:
        """What has not begun at the cursor will begin in the new zone."""
        # Also where it began in another zone at the very cursor: both are needed.
        self.zone.changes.append((cursor, zone))
        self.anchored_in |= {start: zone for start in self.version.edges() if start > cursor}

    def offer_at(self, instant: datetime) -> Offer:
        return self.by_version[self.version.at(instant)]

    def treatment_at(self, instant: datetime) -> str:
        if self.is_paused.at(instant):
            return "paused"
        if self.trial_ends_at is not None and instant < self.trial_ends_at:
            return self.trial
        return "billed"

    @property
    def has_opened(self) -> bool:
        """Whether it had fees for any time at all."""
        return any(
            self.treatment_at(edge) == "billed"
            for edge in {*self.edges(), self.started_at}
            if self.ends_at is None or edge < self.ends_at
        )

    def edges(self) -> set[datetime]:
        found = self.version.edges() | self.seats.edges() | self.is_paused.edges()
        return found | ({self.trial_ends_at} if self.trial_ends_at else set())

    def add_on(self, code: str) -> "Steps[Attached | None]":
        return self.add_ons.setdefault(code, Steps(self.started_at, None))

    def usage_parts(self, start: datetime, end: datetime) -> list[Part]:
        """A cycle, cut where the version changes, where a pause begins or ends, and where all usage becomes dear."""
        edges = sorted({start, end, *(one for one in self.edges() if start < one < end)})
        found: list[Part] = []
        for begin, finish in pairwise(edges):
            treatment = self.treatment_at(begin)
            part = Part(begin, finish, self.version.at(begin), treatment)
            if treatment == "trial_fees":
                part = part._replace(treatment="billed")
            if found and found[-1][2:] == part[2:]:
                part = part._replace(start=found.pop().start)
            found.append(part)
        return found

    def eras(self) -> Iterator[tuple[datetime, datetime | None, Offer]]:
        """A new schedule begins with every version whose intervals are others."""
        begun: list[tuple[datetime, Offer]] = []
        for start, version_id in self.version.changes:
            offer = self.by_version[version_id]
            if not begun or intervals(begun[-1][1]) != intervals(offer):
                begun.append((start, offer))
        ends = [*(start for start, _ in begun[1:]), None]
        for (start, offer), end in zip(begun, ends, strict=True):
            yield start, end, offer

    def stretches(self, kind: str, until: datetime) -> list[Stretch]:
        """All periods until then, of `usage` (an invoice each) or of `fees`."""
        found: list[Stretch] = []
        for start, end, offer in self.eras():
            last = min(until, end or until)
            interval = offer.usage_every if kind == "usage" else offer.fees_every
            anchored_in = self.anchored_in[start]
            local = start.astimezone(anchored_in).replace(tzinfo=None)
            grid = Grid.of((self.anchor, self.day), local, interval, offer.fees_every)
            begin, number = start, grid.index_at(start, anchored_in)
            while begin < last:
                whole = self.edge(grid, number, start, end), self.edge(grid, number + 1, start, end)
                found.append(Stretch(begin, min(whole[1], last), *whole))
                begin, number = found[-1].end, number + 1
        return found

    def edge(self, grid: "Grid", number: int, since: datetime, until: datetime | None) -> datetime:
        """Boundaries up to a change of zone are in the old one, those after it in the new one."""
        found = grid.boundary(number, self.anchored_in[since])
        for changed_at, zone in self.zone.changes[1:]:
            if since <= changed_at < found and (until is None or changed_at < until):
                found = grid.boundary(number, zone)
        return found


def intervals(offer: Offer) -> tuple[Interval, Interval]:
    return offer.fees_every, offer.usage_every


@dataclass(frozen=True)
class Grid:
    """Boundaries by the wall clock: the first one, and one every interval."""

    first: datetime
    unit: str
    count: int
    day: int

    @classmethod
    def of(
        cls, anchor: tuple[str, int | None], local: datetime, interval: Interval, fees: Interval
    ) -> "Grid":
        (kind, day), (unit, count) = anchor, interval
        if kind == "anniversary":
            return cls(local, unit, count, local.day)
        if kind == "day_of_month":
            assert day is not None
            on = clamped(local.year, local.month, day)
            if on > local.date():
                on = clamped(local.year - (local.month == 1), (local.month - 2) % 12 + 1, day)
            return cls(datetime.combine(on, time()), unit, count, day)
        if unit == "week":
            return cls(
                datetime.combine(local.date() - timedelta(days=local.weekday()), time()), unit, count, 1
            )
        month = (local.month - 1) // fees[1] * fees[1] + 1
        return cls(datetime(local.year, month, 1), unit, count, 1)  # noqa: DTZ001 - a wall clock has no zone

    def boundary(self, number: int, zone: ZoneInfo) -> datetime:
        if self.unit == "week":
            wall = self.first + number * self.count * WEEK
        else:
            months = self.first.year * 12 + self.first.month - 1 + number * self.count
            wall = datetime.combine(clamped(months // 12, months % 12 + 1, self.day), self.first.time())
        return wall.replace(tzinfo=zone).astimezone(UTC)

    def index_at(self, instant: datetime, zone: ZoneInfo) -> int:
        number = 0
        while self.boundary(number + 1, zone) <= instant:
            number += 1
        return number


def clamped(year: int, month: int, day: int) -> date:
    while True:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1
