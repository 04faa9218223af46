"""How ingestion is doing, for the home page: three queries, however much comes in.

Minutes are those of real time, also in a sandbox, whose own clock stands still: this is about the traffic.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from apps.usage.selectors.health import (
    NOTHING,
    Counts,
    accepted_on_former_days,
    hours_between,
    minutes_between,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# The present is the average of so many whole minutes.
PRESENT = 5
FORMER_DAYS = 7
# Fewer former days say nothing, and neither do a few events more or less.
FEWEST_DAYS, FEWEST_EVENTS = 3, 100
SPIKE, DROP = Decimal(2), Decimal("0.5")
TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Trend:
    """The last hour beside the usual: the middle one of the same hour on former days. `factor` is of the two."""

    accepted: int
    usual: int
    factor: Decimal

    @property
    def is_spike(self) -> bool:
        return self.factor >= SPIKE and self.accepted - self.usual >= FEWEST_EVENTS

    @property
    def is_drop(self) -> bool:
        return self.factor <= DROP and self.usual - self.accepted >= FEWEST_EVENTS


@dataclass(frozen=True, slots=True)
class Health:
    """`minutes` are the last 60 and `hours` the last 24, the running ones included, the oldest first."""

    minutes: list[tuple[datetime, Counts]]
    hours: list[tuple[datetime, Counts]]
    trend: Trend | None

    @property
    def present(self) -> Counts:
        return added([counts for _, counts in self.minutes[-PRESENT - 1 : -1]])

    @property
    def last_hour(self) -> Counts:
        return added([counts for _, counts in self.minutes])

    @property
    def last_day(self) -> Counts:
        return added([counts for _, counts in self.hours])

    @property
    def per_second(self) -> Decimal:
        return Decimal(self.present.accepted) / (PRESENT * 60)

    @property
    def lag(self) -> timedelta | None:
        """How old events were on arrival, on average: of the last minutes, else of the last hour."""
        counts = self.present if self.present.accepted else self.last_hour
        return timedelta(milliseconds=counts.lag_ms // counts.accepted) if counts.accepted else None


def health_at(now: datetime) -> Health:
    """`now` is real time."""
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    hour = minute.replace(minute=0)
    minutes = minutes_between(minute - 59 * MINUTE, minute + MINUTE)
    hours = hours_between(hour - 23 * HOUR, hour + HOUR)
    former = accepted_on_former_days(minute - HOUR, minute, days=FORMER_DAYS)
    return Health(
        filled(minutes, minute - 59 * MINUTE, MINUTE, 60),
        filled(hours, hour - 23 * HOUR, HOUR, 24),
        trend_of(sum(counts.accepted for at, counts in minutes.items() if at < minute), former),
    )


def filled(
    counts: dict[datetime, Counts], start: datetime, step: timedelta, count: int
) -> list[tuple[datetime, Counts]]:
    instants = [start + step * index for index in range(count)]
    return [(at, counts.get(at, NOTHING)) for at in instants]


def trend_of(accepted: int, former: list[int]) -> Trend | None:
    """None when too little is known of former days."""
    if len(former) < FEWEST_DAYS:
        return None
    usual = sorted(former)[len(former) // 2]
    return Trend(accepted, usual, (Decimal(accepted) / usual).quantize(TENTH, ROUND_HALF_UP))


def added(counts: list[Counts]) -> Counts:
    total = NOTHING
    for one in counts:
        total = total.plus(one)
    return total


def percent(part: int, whole: int) -> str:
    """`0.4 %`; what is there is never shown as nothing."""
    if not part or not whole:
        return "0 %"
    share = (Decimal(part) * 100 / whole).quantize(TENTH, ROUND_HALF_UP)
    return f"{share.normalize():f} %" if share else "< 0.1 %"
