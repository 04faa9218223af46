"""The time of an event: RFC 3339 with an offset, an instant that exists, and not in the future."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.core import clock
from apps.customers.models import Customer
from apps.usage.models import UsageEvent
from tests.harness.clients import Api
from tests.harness.factories import an_event, report

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2026-01-15T10:00:00Z", "2026-01-15T10:00:00+00:00"),
        ("2026-01-15t10:00:00z", "2026-01-15T10:00:00+00:00"),
        ("2026-01-15 10:00:00Z", "2026-01-15T10:00:00+00:00"),
        ("2026-01-15T10:00:00.5Z", "2026-01-15T10:00:00.500000+00:00"),
        ("2026-01-15T10:00:00+05:30", "2026-01-15T04:30:00+00:00"),
        ("2026-01-15T10:00:00-00:00", "2026-01-15T10:00:00+00:00"),
        ("2026-01-15T10:00:00+14:00", "2026-01-14T20:00:00+00:00"),
        ("2026-01-31T23:59:59.999999Z", "2026-01-31T23:59:59.999999+00:00"),
        ("2026-01-31T23:59:59.9999999Z", "2026-01-31T23:59:59.999999+00:00"),
        ("2026-01-31T23:59:59.999999999999Z", "2026-01-31T23:59:59.999999+00:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00+00:00"),
        ("2000-01-01T00:00:00Z", "2000-01-01T00:00:00+00:00"),
    ],
)
def test_is_read_to_the_microsecond_and_cut_not_rounded(chat: Customer, written: str, stored: str) -> None:
    [verdict] = report(an_event(timestamp=written), now=NOW)
    assert verdict.status == "accepted"
    assert UsageEvent.objects.get().timestamp.isoformat() == stored


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-15T10:00:00",
        "2026-01-15",
        "2026-01-15T10:00Z",
        "2026-01-15T10:00:00.Z",
        "2026-01-15T10:00:00,5Z",
        "2026-01-15T10:00:00+0530",
        "2026-01-15T10:00:00+05",
        "2026-01-15T10:00:00 Z",
        "2026-1-15T10:00:00Z",
        "20260115T100000Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-15T24:00:01Z",
        "2026-01-15T10:60:00Z",
        "2026-01-15T10:00:00+24:00",
        "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "٢٠٢٦-01-15T10:00:00Z",
        "2026-01-15T10:00:00Z\n",
        "now",
        "",
        1768471200,
        1768471200.5,
        True,
        [],
    ],
)
def test_what_is_no_instant_is_rejected(chat: Customer, written) -> None:
    [verdict] = report(an_event(timestamp=written), now=NOW)
    assert (verdict.status, verdict.code, verdict.param) == (
        "rejected", "invalid_timestamp", "/events/0/timestamp",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ahead", "status"),
    [
        (timedelta(0), "accepted"),
        (timedelta(minutes=5), "accepted"),
        (timedelta(minutes=5, microseconds=1), "rejected"),
        (timedelta(days=365), "rejected"),
    ],
)
def test_a_clock_may_run_ahead_by_five_minutes(chat: Customer, ahead: timedelta, status: str) -> None:
    [verdict] = report(an_event(timestamp=(NOW + ahead).isoformat()), now=NOW)
    assert verdict.status == status
    assert verdict.code == ("" if status == "accepted" else "timestamp_in_future")


@pytest.mark.parametrize("written", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"])
def test_the_end_of_time_is_in_the_future(chat: Customer, written: str) -> None:
    [verdict] = report(an_event(timestamp=written), now=NOW)
    assert (verdict.status, verdict.param) == ("rejected", "/events/0/timestamp")


@pytest.mark.parametrize(
    "written", ["1999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"]
)
def test_nobody_metered_anything_before_2000(chat: Customer, written: str) -> None:
    [verdict] = report(an_event(timestamp=written), now=NOW)
    assert (verdict.status, verdict.code) == ("rejected", "timestamp_too_old")


def test_the_server_fills_in_the_time_that_is_left_out(chat: Customer, acme_api: Api) -> None:
    before = clock.real_now()
    acme_api.report(an_event(timestamp=None))
    event = UsageEvent.objects.get()
    assert before <= event.timestamp <= clock.real_now()
    assert event.timestamp == event.received_at
