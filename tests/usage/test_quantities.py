"""Quantities over any period equal a full scan of the events, to the last digit."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.periods import calendar_month
from apps.customers.models import Customer
from apps.usage.models import UsageEvent
from apps.usage.selectors import pieces_of, quantities, quantities_by_dimension, quantities_over
from tests.harness.evidence import rolled_back
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.totals import assert_rollups_equal_events

FROM = datetime(2026, 2, 26, tzinfo=UTC)
UNTIL = datetime(2026, 3, 3, tzinfo=UTC)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SETS_OF_EVENTS = 5_000 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 150
# Zones whose midnights lie at whole, half and three-quarter hours of UTC.
ZONES = [
    ZoneInfo(name)
    for name in ("UTC", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham")
]


def as_instant(seconds: float) -> datetime:
    return FROM + timedelta(seconds=seconds)


hours = st.integers(0, 5 * 24).map(lambda hour: FROM + timedelta(hours=hour))
edges = st.builds(lambda hour, off: hour + off * MICROSECOND, hours, st.sampled_from([-1, 0, 1]))
anywhere = st.datetimes(FROM.replace(tzinfo=None), UNTIL.replace(tzinfo=None), timezones=st.just(UTC))
local_midnights = st.builds(
    lambda day, zone: datetime(2026, 2, 26, tzinfo=zone) + timedelta(days=day),
    st.integers(0, 4),
    st.sampled_from(ZONES),
)
instants = st.one_of(hours, edges, anywhere, local_midnights)
values = st.decimals(0, Decimal("1e12"), places=6) | st.sampled_from(
    [Decimal(0), Decimal("1e-18"), Decimal("9999999999999999999.999999999999999999")]
)
reported = st.lists(
    st.tuples(instants, values, st.sampled_from(["gpt-5", "opus", "", None]), st.booleans()), max_size=25
)
periods = st.tuples(instants, instants).map(lambda pair: tuple(sorted(pair)))

Event = tuple[datetime, Decimal, str | None, bool]


@pytest.fixture
def meters(in_acme: Any) -> tuple[int, int]:
    make_customer("chat")
    make_customer("code")
    make_meter("input_tokens", dimensions=["model"])
    make_meter("calls", aggregation="count")
    return tuple(
        type(make_meter("spare", event_name="never"))
        .objects.exclude(code="spare")
        .order_by("code")
        .values_list("pk", flat=True)
    )


def as_events(rows: list[Event]) -> Iterator[dict[str, Any]]:
    for index, (at, value, model, is_chat) in enumerate(rows):
        properties = {"input_tokens": str(value), "model": model}
        yield an_event(
            f"e{index}",
            customer="chat" if is_chat else "code",
            timestamp=at.isoformat(),
            properties=properties,
        )


def scanned(rows: list[Event], start: datetime, end: datetime) -> list[Event]:
    return [row for row in rows if row[3] and start <= row[0] < end]


@settings(
    max_examples=SETS_OF_EVENTS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=reported, asked=st.lists(periods, min_size=1, max_size=4), cut=st.integers(0, 25))
def test_equal_a_full_scan_for_any_events_and_periods(
    meters: tuple[int, int], rows: list[Event], asked: list[tuple[datetime, datetime]], cut: int
) -> None:
    calls, tokens = meters
    customer = Customer.objects.get(external_id="chat")
    events = list(as_events(rows))
    with rolled_back():
        for batch in (events[:cut], events[cut:]):
            assert all(verdict.status == "accepted" for verdict in report(*batch, now=NOW)) if batch else True
        found = quantities_over(customer_id=customer.pk, meter_ids=[tokens, calls], periods=asked)
        for (start, end), used in zip(asked, found, strict=True):
            expected = scanned(rows, start, end)
            assert Fraction(used[tokens].quantity) == sum(Fraction(row[1]) for row in expected)
            assert (used[tokens].event_count, used[calls].event_count) == (len(expected), len(expected))
            assert used[calls].quantity == len(expected)
            by_model = {
                values.get("model", ""): (Fraction(one.quantity), one.event_count)
                for values, one in quantities_by_dimension(
                    customer_id=customer.pk, meter_id=tokens, start=start, end=end
                )
            }
            models = {row[2] or "" for row in expected}
            assert by_model == {
                model: (
                    sum(Fraction(row[1]) for row in expected if (row[2] or "") == model),
                    sum((row[2] or "") == model for row in expected),
                )
                for model in models
            }
        assert_rollups_equal_events()


@given(period=periods)
def test_the_pieces_of_a_period_tile_it(period: tuple[datetime, datetime]) -> None:
    start, end = period
    pieces = pieces_of(start, end)
    tiles = sorted([*pieces.days, *pieces.hours, *pieces.ragged])
    assert [tile[0] for tile in tiles] == ([start] + [tile[1] for tile in tiles[:-1]] if tiles else [])
    assert (tiles[-1][1] == end) if tiles else (start == end)
    for bounds, step in ((pieces.hours, 3600), (pieces.days, 86_400)):
        assert all(at.timestamp() % step == 0 for bound in bounds for at in bound)
    assert len(pieces.ragged) <= 2


def test_a_period_owns_its_start_and_not_its_end(meters: tuple[int, int]) -> None:
    report(
        an_event("before", timestamp="2026-01-31T23:59:59.999999Z", properties={"input_tokens": 1}),
        an_event("first", timestamp="2026-02-01T00:00:00Z", properties={"input_tokens": 10}),
        an_event("last", timestamp="2026-02-28T23:59:59.999999999Z", properties={"input_tokens": 100}),
        an_event("after", timestamp="2026-03-01T00:00:00Z", properties={"input_tokens": 1000}),
        now=NOW,
    )
    customer = Customer.objects.get(external_id="chat")
    start, end = calendar_month(datetime(2026, 2, 10, tzinfo=UTC), ZoneInfo("UTC"))
    _, tokens = meters
    used = quantities(customer_id=customer.pk, meter_ids=[tokens], start=start, end=end)
    assert (used[tokens].quantity, used[tokens].event_count) == (110, 2)


def test_asks_three_questions_whatever_the_number_of_periods(meters: tuple[int, int]) -> None:
    customer = Customer.objects.get(external_id="chat")
    months = [
        (datetime(2026, month, 1, 3, 30, tzinfo=UTC), datetime(2026, month + 1, 1, tzinfo=UTC))
        for month in range(1, 12)
    ]
    with CaptureQueriesContext(connection) as queries:
        quantities_over(customer_id=customer.pk, meter_ids=meters, periods=months)
    assert len(queries) == 3


def test_a_meter_without_usage_is_zero(meters: tuple[int, int]) -> None:
    customer = Customer.objects.get(external_id="chat")
    used = quantities(customer_id=customer.pk, meter_ids=meters, start=FROM, end=UNTIL)
    assert {pk: (one.quantity, one.event_count) for pk, one in used.items()} == dict.fromkeys(meters, (0, 0))
    assert not UsageEvent.objects.exists()


def test_an_empty_period_is_zero(meters: tuple[int, int]) -> None:
    report(an_event(timestamp="2026-02-27T00:00:00Z"), now=NOW)
    customer = Customer.objects.get(external_id="chat")
    at = datetime(2026, 2, 27, tzinfo=UTC)
    used = quantities(customer_id=customer.pk, meter_ids=meters, start=at, end=at)
    assert {one.quantity for one in used.values()} == {0}
