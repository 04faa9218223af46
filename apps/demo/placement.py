"""Where the hour of a trace lies on another day: at its own time of day, unless that is still to come."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from apps.demo.traces import HOUR_START

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


class FutureDayError(ValueError):
    """Nothing of the day has passed yet, so nothing can have happened on it."""


@dataclass(frozen=True, slots=True)
class Window:
    """`[start, end)`: what the hour became. Shorter than an hour, it is compressed evenly."""

    start: datetime
    end: datetime

    def place(self, at: datetime) -> datetime:
        """Move an instant of the original hour. In whole microseconds, so that no re-run differs by one."""
        offset = (at - HOUR_START) // MICROSECOND
        length = (self.end - self.start) // MICROSECOND
        return self.start + MICROSECOND * (offset * length // (HOUR // MICROSECOND))

    def __str__(self) -> str:
        """An interval of ISO 8601, which `parse` reads."""
        return f"{self.start.isoformat()}/{self.end.isoformat()}"

    @classmethod
    def parse(cls, text: str) -> "Window":
        """Raises ValueError."""
        start, _, end = text.partition("/")
        return cls(datetime.fromisoformat(start), datetime.fromisoformat(end))


def window_on(day: date, now: datetime) -> Window:
    """Choose the window on `day` (UTC) as of `now`.

    The hour keeps its time of day when it is over by now. Else it ends at the last full second, but it
    never begins before the day does: what has passed of the day is then all there is. Raises FutureDayError.
    """
    midnight = datetime.combine(day, time(), UTC)
    start = datetime.combine(day, HOUR_START.timetz())
    if start + HOUR <= now:
        return Window(start, start + HOUR)
    end = now.astimezone(UTC).replace(microsecond=0)
    if end < midnight:
        raise FutureDayError(f"{day} has not begun yet (UTC), and usage is not reported ahead of time.")
    return Window(max(midnight, end - HOUR), end)
