"""Windows of local time tile a period, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.usage.selectors.windows import FOLLOWING, windows_of

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Pacific/Chatham", "America/St_Johns", "America/Santiago", "Africa/Cairo", "Pacific/Apia",
]  # fmt: skip
HOUR = timedelta(hours=1)
LONGEST = {
    "minute": timedelta(minutes=1),
    "hour": HOUR,
    "day": timedelta(hours=25),
    "week": timedelta(days=7, hours=1),
    "month": timedelta(days=31, hours=1),
}
instants = st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    start=instants,
    window=st.sampled_from(list(FOLLOWING)),
    count=st.floats(0.1, 40),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_windows_tile_the_period(start: datetime, window: str, count: float, zone: ZoneInfo) -> None:
    end = start + LONGEST[window] * count
    tiles = list(windows_of(start, end, window=window, time_zone=zone))
    assert tiles[0][0] == start
    assert tiles[-1][1] == end
    assert all(before[1] == after[0] for before, after in pairwise(tiles))
    assert all(timedelta(0) < ends - begins <= LONGEST[window] for begins, ends in tiles)
    if window in ("day", "week", "month"):
        # Two instants are in one window when their local dates are in one day, week or month.
        assert len({key_of(begins.astimezone(zone), window) for begins, _ in tiles}) == len(tiles)
        for begins, ends in tiles:
            last = ends - timedelta(microseconds=1)
            assert key_of(begins.astimezone(zone), window) == key_of(last.astimezone(zone), window)


def key_of(local: datetime, window: str) -> tuple[int, ...]:
    if window == "day":
        return (local.toordinal(),)
    return local.isocalendar()[:2] if window == "week" else (local.year, local.month)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC), [1] * 23),
        ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC), [1] * 25),
        ("Asia/Kathmandu", datetime(2026, 3, 29, tzinfo=UTC), [1] * 24),
        # Half an hour back, and half an hour forth.
        ("Australia/Lord_Howe", datetime(2026, 4, 5, tzinfo=UTC), [1] * 2 + [0.5] + [1] * 22),
        ("Australia/Lord_Howe", datetime(2026, 10, 4, tzinfo=UTC), [1] * 2 + [0.5] + [1] * 21),
    ],
)
def test_hours_of_a_day_on_which_clocks_change(zone: str, day: datetime, hours: list[float]) -> None:
    local = ZoneInfo(zone)
    begins = datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)
    [(start, end)] = windows_of(begins, begins + sum(hours, 0.0) * HOUR, window="day", time_zone=local)
    found = [
        (after - before) / HOUR for before, after in windows_of(start, end, window="hour", time_zone=local)
    ]
    assert found == hours
