"""Billing periods: half-open, computed from one anchor in the customer's time zone, tiling time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.periods import calendar_month, month_start
from apps.subscriptions.periods import (
    Interval,
    Period,
    Schedule,
    anniversary_schedule,
    calendar_schedule,
    day_of_month_schedule,
)

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Pacific/Chatham",
    "Pacific/Apia",
    "America/Asuncion",
    "Africa/Casablanca",
    "Etc/GMT+12",
]
SECOND = timedelta(seconds=1)


def local(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def starts(schedule: Schedule, count: int) -> list[str]:
    """The local date and time of the first boundaries."""
    return [
        schedule.boundary(index).astimezone(schedule.time_zone).strftime("%Y-%m-%d %H:%M")
        for index in range(count)
    ]


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [
        ("2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2026-01-30", ["2026-01-30", "2026-02-28", "2026-03-30", "2026-04-30", "2026-05-30"]),
        ("2026-01-29", ["2026-01-29", "2026-02-28", "2026-03-29", "2026-04-29", "2026-05-29"]),
        ("2028-01-31", ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"]),
        ("2028-01-29", ["2028-01-29", "2028-02-29", "2028-03-29", "2028-04-29", "2028-05-29"]),
        ("2028-02-29", ["2028-02-29", "2028-03-29", "2028-04-29", "2028-05-29", "2028-06-29"]),
        ("2026-10-31", ["2026-10-31", "2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28"]),
        ("2026-12-15", ["2026-12-15", "2027-01-15", "2027-02-15", "2027-03-15", "2027-04-15"]),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
def test_an_anchor_at_the_end_of_a_month_clamps_and_comes_back(
    anchor: str, expected: list[str], zone: str
) -> None:
    schedule = anniversary_schedule(local(f"{anchor}T09:30:00", zone), ZoneInfo(zone))
    assert starts(schedule, 5) == [f"{day} 09:30" for day in expected]


def test_a_leap_day_comes_back_every_fourth_year_only() -> None:
    schedule = anniversary_schedule(local("2024-02-29T00:00:00", "UTC"), ZoneInfo("UTC"))
    februaries = [schedule.boundary(12 * year).date().isoformat() for year in range(9)]
    assert februaries == [
        "2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29",
        "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "month", "hours"),
    [
        ("UTC", "2026-03", 744),
        ("Europe/Berlin", "2026-03", 743),
        ("Europe/Berlin", "2026-10", 745),
        ("America/New_York", "2026-03", 743),
        ("America/New_York", "2026-11", 721),
        ("Australia/Lord_Howe", "2026-04", 720.5),
        ("Australia/Lord_Howe", "2026-10", 743.5),
        ("Pacific/Kiritimati", "2026-02", 672),
        ("Europe/Berlin", "2028-02", 696),
        ("Pacific/Apia", "2011-12", 720),  # the 30th did not exist
    ],
)
def test_a_month_has_the_hours_its_clocks_show(zone: str, month: str, hours: float) -> None:
    schedule = calendar_schedule(local(f"{month}-15T12:00:00", zone), ZoneInfo(zone))
    period = schedule.full_period_at(local(f"{month}-15T12:00:00", zone).astimezone(UTC))
    assert (period.end - period.start) / timedelta(hours=1) == hours


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Pacific/Kiritimati", "2026-02-28T10:00:00+00:00"),
        ("Asia/Kathmandu", "2026-02-28T18:15:00+00:00"),
        ("Asia/Kolkata", "2026-02-28T18:30:00+00:00"),
        ("America/New_York", "2026-03-01T05:00:00+00:00"),
        ("Etc/GMT+12", "2026-03-01T12:00:00+00:00"),
    ],
)
def test_a_calendar_month_begins_at_local_midnight(zone: str, start: str) -> None:
    at = local("2026-03-15T00:00:00", zone)
    assert calendar_month(at.astimezone(UTC), ZoneInfo(zone))[0].isoformat() == start
    assert calendar_schedule(at, ZoneInfo(zone)).boundary(0).isoformat() == start


def test_an_hour_that_is_skipped_moves_the_boundary_on() -> None:
    schedule = anniversary_schedule(local("2026-02-28T02:30:00", "Europe/Berlin"), ZoneInfo("Europe/Berlin"))
    assert starts(schedule, 3) == ["2026-02-28 02:30", "2026-03-28 02:30", "2026-04-28 02:30"]
    skipped = anniversary_schedule(local("2026-01-29T02:30:00", "Europe/Berlin"), ZoneInfo("Europe/Berlin"))
    # 2026-03-29 02:30 does not exist in Berlin: clocks go from 02:00 to 03:00.
    assert skipped.boundary(2).isoformat() == "2026-03-29T01:30:00+00:00"
    assert starts(skipped, 4)[2:] == ["2026-03-29 03:30", "2026-04-29 02:30"]


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    schedule = anniversary_schedule(local("2026-09-25T02:30:00", "Europe/Berlin"), ZoneInfo("Europe/Berlin"))
    assert schedule.boundary(1).isoformat() == "2026-10-25T00:30:00+00:00"


def test_a_start_in_the_second_of_two_equal_hours_is_where_the_first_period_begins() -> None:
    started_at = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 02:30 in Berlin for the second time that night
    schedule = anniversary_schedule(started_at, ZoneInfo("Europe/Berlin"))
    assert schedule.full_period_at(started_at).start == started_at
    assert schedule.boundary(1).isoformat() == "2026-11-25T01:30:00+00:00"


def test_a_boundary_belongs_to_the_period_it_opens() -> None:
    schedule = calendar_schedule(datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))
    march, april = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    assert schedule.full_period_at(march) == Period(march, april)
    assert schedule.full_period_at(april - timedelta(microseconds=1)) == Period(march, april)
    assert schedule.full_period_at(april).start == april


zones = st.sampled_from(ZONES).map(ZoneInfo)
instants = st.integers(
    int(datetime(2000, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2060, 1, 1, tzinfo=UTC).timestamp())
).map(lambda second: datetime.fromtimestamp(second, UTC))
makers = st.sampled_from([calendar_schedule, anniversary_schedule])


@given(started_at=instants, zone=zones, make=makers, index=st.integers(-40, 400))
def test_periods_tile_time(started_at: datetime, zone: ZoneInfo, make, index: int) -> None:
    """Law: boundaries rise, every instant lies in exactly one period, and asking again gives the same one."""
    schedule = make(started_at, zone)
    start, end = schedule.boundary(index), schedule.boundary(index + 1)
    assert start < end
    assert timedelta(days=27) < end - start < timedelta(days=32)
    period = Period(start, end)
    for inside in (start, start + SECOND, start + (end - start) / 2, end - timedelta(microseconds=1)):
        assert schedule.full_period_at(inside) == period
    assert schedule.full_period_at(end).start == end
    assert schedule.full_period_at(start - timedelta(microseconds=1)).end == start


@given(started_at=instants, zone=zones, make=makers)
def test_the_first_period_holds_the_start(started_at: datetime, zone: ZoneInfo, make) -> None:
    period = make(started_at, zone).full_period_at(started_at)
    assert period.start <= started_at < period.end
    if make is anniversary_schedule:
        # Only of an hour that comes twice the second half starts in a period that began before it.
        assert started_at - period.start <= timedelta(hours=1)


@given(started_at=instants, zone=zones, index=st.integers(0, 200))
def test_a_calendar_period_is_a_calendar_month(started_at: datetime, zone: ZoneInfo, index: int) -> None:
    schedule = calendar_schedule(started_at, zone)
    at = schedule.boundary(index)
    assert (at, schedule.boundary(index + 1)) == calendar_month(at, zone)
    assert month_start(started_at, zone, index) == at


intervals = st.one_of(
    st.builds(Interval, st.just("month"), st.sampled_from([1, 2, 3, 5, 6, 12])),
    st.builds(Interval, st.just("week"), st.integers(1, 6)),
    st.builds(Interval, st.just("day"), st.integers(1, 40)),
)
# No zone has left out a date since Apia did in 2011.
later = st.integers(
    int(datetime(2012, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2060, 1, 1, tzinfo=UTC).timestamp())
).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(
    started_at=later,
    zone=zones,
    interval=intervals,
    index=st.integers(0, 120),
    # A day of the month, or how else it is anchored.
    anchor=st.one_of(st.sampled_from(["calendar", "anniversary"]), st.integers(1, 31)),
)
def test_periods_of_any_interval_tile_time(
    started_at: datetime, zone: ZoneInfo, interval: Interval, index: int, anchor: str | int
) -> None:
    """Law: boundaries rise strictly, every instant lies in exactly one period, and the first one holds the start."""
    if isinstance(anchor, int):
        schedule = day_of_month_schedule(started_at, zone, anchor, interval)
    else:
        make = calendar_schedule if anchor == "calendar" else anniversary_schedule
        schedule = make(started_at, zone, interval)
    start, end = schedule.boundary(index), schedule.boundary(index + 1)
    assert start < end
    period = Period(start, end)
    for inside in (start, start + (end - start) / 2, end - timedelta(microseconds=1)):
        assert schedule.full_period_at(inside) == period
        assert schedule.nearest_boundary(inside) in (start, end)
    first = schedule.full_period_at(started_at)
    assert first.start <= started_at < first.end


@pytest.mark.parametrize(
    ("interval", "started", "expected"),
    [
        (Interval("month", 3), "2026-02-10", ["2026-01-01", "2026-04-01"]),
        (Interval("month", 12), "2026-02-10", ["2026-01-01", "2027-01-01"]),
        (Interval("week", 1), "2026-02-15", ["2026-02-09", "2026-02-16"]),
        (Interval("day", 1), "2026-02-15", ["2026-02-15", "2026-02-16"]),
    ],
)
def test_the_grid_of_the_calendar(interval: Interval, started: str, expected: list[str]) -> None:
    zone = ZoneInfo("Pacific/Pago_Pago")
    schedule = calendar_schedule(local(f"{started}T12:00:00", zone.key), zone, interval)
    assert starts(schedule, 2) == [f"{day} 00:00" for day in expected]


@pytest.mark.parametrize(
    ("day", "expected"),
    [(31, ["2028-01-31", "2028-02-29", "2028-03-31"]), (30, ["2028-01-30", "2028-02-29", "2028-03-30"])],
)
def test_a_day_of_month_clamps_and_comes_back(day: int, expected: list[str]) -> None:
    schedule = day_of_month_schedule(local("2028-02-10T12:00:00", "UTC"), ZoneInfo("UTC"), day)
    assert starts(schedule, 3) == [f"{one} 00:00" for one in expected]
