"""How finely meters are grouped is counted once an hour, and staff are warned before it hurts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Meter
from apps.core import clock, jobs
from apps.customers.models import Customer
from apps.usage.models import MeterCardinality
from apps.usage.selectors.cardinality import cardinality_of, wide_meters
from apps.usage.services.cardinality import count_cardinality, count_when_due
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import an_event, make_meter, report

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)


@pytest.fixture
def calls(chat: Customer) -> Meter:
    """Three models and five users in January, and another model in December."""
    meter = make_meter("calls", event_name="call", aggregation="count", dimensions=["model", "user"])
    report(
        *(
            an_event(f"c{n}", event="call", timestamp="2026-01-15T10:00:00Z",
                     properties={"model": f"m{n % 3}", "user": f"u{n % 5}"})
            for n in range(15)
        ),
        an_event("old", event="call", timestamp="2025-12-20T10:00:00Z", properties={"model": "old"}),
        now=NOW,
    )  # fmt: skip
    return meter


def counted(now: datetime = NOW) -> None:
    count_cardinality(now=now, counted_at=NOW)


def test_sets_of_the_month_and_the_widest_dimension(calls: Meter) -> None:
    counted()
    one = cardinality_of(calls)
    assert one is not None
    assert (one.dimension_sets, one.widest_dimension, one.widest_count, one.shapes) == (15, "user", 5, 16)
    assert one.month_on.isoformat() == "2026-01-01"
    counted(datetime(2025, 12, 31, tzinfo=UTC))
    one = cardinality_of(calls)
    assert one is not None
    assert (one.dimension_sets, one.month_on.isoformat()) == (1, "2025-12-01")


def test_a_meter_that_counted_nothing_has_none(chat: Customer) -> None:
    counted()
    assert set(MeterCardinality.objects.values_list("dimension_sets", "widest_dimension")) == {(0, "")}


def test_the_warning_begins_at_the_meters_limit(calls: Meter) -> None:
    counted()
    for limit, is_wide in ((16, False), (15, True), (1, True)):
        Meter.objects.filter(pk=calls.pk).update(cardinality_warning_from=limit)
        assert [one.meter for one in wide_meters()] == [calls] * is_wide
    Meter.objects.filter(pk=calls.pk).update(archived_at=NOW)
    assert wide_meters() == []


def test_it_is_counted_once_an_hour(calls: Meter) -> None:
    assert jobs.run_due_jobs(NOW)["count_cardinality"] == 0
    first = MeterCardinality.objects.get(meter=calls).counted_at
    with CaptureQueriesContext(connection) as captured:
        count_when_due(NOW)
    assert len(captured) == 1
    MeterCardinality.objects.update(counted_at=first - timedelta(hours=1))
    count_when_due(NOW)
    assert MeterCardinality.objects.get(meter=calls).counted_at > first - timedelta(minutes=1)


def test_pages_warn(olga: Staff, calls: Meter) -> None:
    counted(clock.now())
    path = page("catalog.meter", "change", calls.pk)
    assert b"grouped very finely" not in olga.get("/admin/").content + olga.get(path).content
    Meter.objects.filter(pk=calls.pk).update(cardinality_warning_from=15)
    counted()
    for content in (olga.get("/admin/").content.decode(), olga.get(path).content.decode()):
        assert "grouped very finely" in content
        assert '<code class="ch-code">user</code> alone has 5 values' in content


def test_a_filter_of_an_id_is_named(olga: Staff, chat: Customer) -> None:
    """It makes no dimension sets: each event has a shape of its own."""
    named = {"operator": "not_in", "values": ["test"]}
    meter = make_meter(
        "requests", event_name="request", aggregation="count", value_property="", cardinality_warning_from=120,
        filters=[{"property": "request_id", **named}, {"property": "region", **named}],
    )  # fmt: skip
    kinds = make_meter(
        "kinds", event_name="request", aggregation="count", value_property="", cardinality_warning_from=2,
        filters=[{"property": "region", **named}],
    )  # fmt: skip

    def send(numbers: range) -> None:
        report(
            *(
                an_event(f"r{n}", event="request", timestamp="2026-01-15T10:00:00Z",
                         properties={"request_id": f"q{n}", "region": f"r{n % 3}"})
                for n in numbers
            ),
            now=NOW,
        )  # fmt: skip

    send(range(119))
    counted()
    assert wide_meters() == []
    send(range(119, 120))
    counted()
    [one] = wide_meters()
    assert (one.meter, one.dimension_sets, one.shapes) == (meter, 1, 120)
    assert (one.widest_filter, one.widest_filter_count) == ("request_id", 120)
    other = cardinality_of(kinds)
    assert other is not None
    assert (other.widest_filter, other.widest_filter_count) == ("region", 3)
    for path in ("/admin/", page("catalog.meter", "change", meter.pk)):
        content = olga.get(path).content.decode()
        assert "grouped very finely" in content
        assert '<code class="ch-code">request_id</code>, which has 120 values' in content
    assert "grouped very finely" not in olga.get(page("catalog.meter", "change", kinds.pk)).content.decode()
