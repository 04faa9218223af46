"""Where the hour lies on another day: never in the future, never on the day before."""

from datetime import UTC, date, datetime, timedelta

import pytest

from apps.demo.placement import FutureDayError, Window, window_on
from apps.demo.traces import CHAT, CODE, HOUR_START, Trace

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        # Long over, over for an instant, and over at this very instant: the hour keeps its time of day.
        ("2026-12-25 00:00:00", "2026-11-20 18:15:00", "2026-11-20 19:15:00"),
        ("2026-11-20 19:15:00.000001", "2026-11-20 18:15:00", "2026-11-20 19:15:00"),
        ("2026-11-20 19:15:00", "2026-11-20 18:15:00", "2026-11-20 19:15:00"),
        # Not yet over: moved back as a whole, to end just before now.
        ("2026-11-20 19:14:59.999999", "2026-11-20 18:14:59", "2026-11-20 19:14:59"),
        ("2026-11-20 10:00:00.7", "2026-11-20 09:00:00", "2026-11-20 10:00:00"),
        ("2026-11-20 01:00:00", "2026-11-20 00:00:00", "2026-11-20 01:00:00"),
        # Less than an hour has passed: compressed into it.
        ("2026-11-20 00:59:59", "2026-11-20 00:00:00", "2026-11-20 00:59:59"),
        ("2026-11-20 00:00:01", "2026-11-20 00:00:00", "2026-11-20 00:00:01"),
        ("2026-11-20 00:00:00", "2026-11-20 00:00:00", "2026-11-20 00:00:00"),
    ],
)
def test_window(now: str, start: str, end: str) -> None:
    assert window_on(date(2026, 11, 20), at(now)) == Window(at(start), at(end))


def test_the_first_minute_of_a_month_stays_in_its_month() -> None:
    window = window_on(date(2026, 12, 1), at("2026-12-01 00:00:30"))
    assert window == Window(at("2026-12-01 00:00:00"), at("2026-12-01 00:00:30"))


@pytest.mark.parametrize("now", ["2026-11-19 23:59:59.999999", "2026-11-19 12:00:00", "2020-01-01 00:00:00"])
def test_a_day_that_has_not_begun_is_refused(now: str) -> None:
    with pytest.raises(FutureDayError, match="2026-11-20 has not begun"):
        window_on(date(2026, 11, 20), at(now))


@pytest.mark.parametrize("trace", [CODE, CHAT], ids=["code", "chat"])
@pytest.mark.parametrize(
    "length", [HOUR, timedelta(minutes=7, seconds=13), timedelta(seconds=1), timedelta()]
)
def test_every_call_lies_in_the_window_and_in_its_order(trace: Trace, length: timedelta) -> None:
    window = Window(at("2026-11-20 00:00:00"), at("2026-11-20 00:00:00") + length)
    placed = [window.place(call.at) for call in trace.calls()]
    assert placed == sorted(placed)
    assert window.start <= placed[0]
    assert placed[-1] < window.end or length == timedelta()


def test_an_uncompressed_hour_keeps_every_microsecond() -> None:
    window = window_on(date(2026, 10, 31), at("2026-11-20 00:00:00"))
    assert [window.place(call.at) - window.start for call in CODE.calls()] == [
        call.at - HOUR_START for call in CODE.calls()
    ]


def test_a_window_is_read_as_it_was_written() -> None:
    window = window_on(date(2026, 11, 20), at("2026-11-20 00:12:34"))
    assert str(window) == "2026-11-20T00:00:00+00:00/2026-11-20T00:12:34+00:00"
    assert Window.parse(str(window)) == window
