"""A period in windows of local time: minutes, hours, days, weeks and months of a time zone.

They tile the period: the first begins with it and the last ends with it, whatever the clocks do in between. A day on
which clocks change has 23 or 25 hours; an hour that a change cuts short is a window of its own.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from apps.core.periods import month_start
from apps.usage.selectors.pieces import HOUR, Interval


def windows_of(start: datetime, end: datetime, *, window: str, time_zone: ZoneInfo) -> Iterator[Interval]:
    following = FOLLOWING[window]
    begins = start.astimezone(UTC)
    while begins < end:
        ends = min(following(begins, time_zone), end.astimezone(UTC))
        yield begins, ends
        begins = ends


def following_minute(instant: datetime, time_zone: ZoneInfo) -> datetime:
    """Offsets are whole minutes in this century."""
    return instant.replace(second=0, microsecond=0) + timedelta(minutes=1)


def following_hour(instant: datetime, time_zone: ZoneInfo) -> datetime:
    """The next full hour of local time; where the clocks are changed on the way, the one that the old time had."""
    local = instant.astimezone(time_zone)
    return (
        instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond) + HOUR
    )


def following_day(instant: datetime, time_zone: ZoneInfo) -> datetime:
    return midnight(instant.astimezone(time_zone).date() + timedelta(days=1), time_zone)


def following_week(instant: datetime, time_zone: ZoneInfo) -> datetime:
    """Weeks begin on Monday, as in ISO 8601."""
    today = instant.astimezone(time_zone).date()
    return midnight(today + timedelta(days=7 - today.weekday()), time_zone)


def following_month(instant: datetime, time_zone: ZoneInfo) -> datetime:
    return month_start(instant, time_zone, 1)


def midnight(day: date, time_zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), time_zone).astimezone(UTC)


FOLLOWING: dict[str, Callable[[datetime, ZoneInfo], datetime]] = {
    "minute": following_minute,
    "hour": following_hour,
    "day": following_day,
    "week": following_week,
    "month": following_month,
}
