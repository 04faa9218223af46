"""Looking for events: each way finds what is there, in order, without reading the table."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import tenant_context

from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage.models import BackfilledReading, DimensionSet, UsageEvent
from apps.usage.selectors import Asked, event_by_key, find_events, found_without_customer, key_of, waiting_ids
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.void_event import void_event
from tests.harness.factories import an_event, make_customer, make_meter, report

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
START = datetime(2026, 1, 14, 10, tzinfo=UTC)


@pytest.fixture
def events(chat: Customer) -> None:
    """Two customers, three days, two months, one hour with many."""
    make_meter("images", event_name="image.render", aggregation="count")
    make_customer("other")
    report(
        *(an_event(f"a{n}", timestamp=(START + timedelta(days=n)).isoformat()) for n in range(3)),
        *(an_event(f"b{n}", timestamp=(START + timedelta(minutes=n)).isoformat(), customer="other") for n in range(5)),
        an_event("old", timestamp="2025-12-31T23:00:00Z"),
        an_event("image", event="image.render", timestamp="2026-01-15T11:30:00Z"),
        an_event("a1", source="eu/west", timestamp="2026-01-15T11:00:00Z"),
        now=NOW,
    )  # fmt: skip


def ids(limit: int = 50, offset: int = 0, **asked: Any) -> list[str]:
    return [event.event_id for event in find_events(Asked(**asked), offset=offset, limit=limit).events]


def test_the_newest_come_first_over_partitions(events: None) -> None:
    assert ids() == ["a2", "image", "a1", "a1", "b4", "b3", "b2", "b1", "a0", "b0", "old"]
    assert ids(limit=3) == ["a2", "image", "a1"]
    assert ids(limit=3, offset=9) == ["b0", "old"]


def test_without_a_question_only_the_end_of_the_newest_partitions_is_read(
    events: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found_without_customer, "BLOCKS", 1)
    found = find_events(Asked(), offset=0, limit=50)
    assert "old" not in {event.event_id for event in found.events}
    assert len(found.events) == 10
    assert "came in last" in found.reach


def test_the_end_of_a_partition_is_found_by_its_blocks(events: None, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [an_event(f"m{n:04}", properties={"input_tokens": 1, "note": "x" * 400}) for n in range(200)]
    report(*many, now=NOW)
    report(an_event("last", timestamp=START.isoformat()), now=NOW)
    monkeypatch.setattr(found_without_customer, "BLOCKS", 1)
    with CaptureQueriesContext(connection) as captured:
        found = ids(limit=500)
    assert "last" in found
    assert len(found) < 60
    (sql,) = [one["sql"] for one in captured if "ctid" in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        assert "Tid Range Scan" in "\n".join(row[0] for row in cursor.fetchall())


def test_by_customer(events: None, chat: Customer) -> None:
    mine = {"customer_id": chat.pk}
    assert ids(**mine) == ["a2", "image", "a1", "a1", "a0", "old"]
    assert ids(**mine, starts_at=START, ends_at=START + timedelta(days=1)) == ["a0"]
    assert ids(**mine, event_name="image.render") == ["image"]
    assert ids(**mine, event_name="llm.call", limit=2) == ["a2", "a1"]
    assert ids(**mine, event_name="llm.call", ends_at=START) == ["old"]
    assert ids(**mine, event_name="nothing") == []


def test_pages_tile_what_there_is(events: None, chat: Customer) -> None:
    """Totals say how many hours hold a page; voided events and the edges of a range must not make one short."""
    report(
        *(an_event(f"t{n:02}", timestamp=(START + timedelta(minutes=13 * n)).isoformat()) for n in range(40)),
        now=NOW,
    )
    for name in ("t05", "t06", "t07", "t20"):
        void_event(event_id=name, reason="Sent twice", now=NOW)
    meter = Meter.objects.get(code="input_tokens")
    ranges = (
        {},
        {"starts_at": START + timedelta(minutes=50), "ends_at": START + timedelta(hours=5, minutes=7)},
    )
    for given in ({"event_name": "llm.call"}, {"meter_id": meter.pk}, {}):
        for verdict in ("", "counted"):
            for in_range in ranges:
                asked = {"customer_id": chat.pk, "verdict": verdict, **given, **in_range}
                whole = ids(**asked)
                assert len(whole) > 15
                pages = [ids(**asked, limit=4, offset=offset) for offset in range(0, len(whole), 4)]
                assert [event_id for page in pages for event_id in page] == whole


def test_by_meter_with_what_was_backfilled(events: None, chat: Customer) -> None:
    young = make_meter("young", aggregation="count", value_property="")
    event = UsageEvent.objects.get(event_id="a0")
    assert ids(customer_id=chat.pk, meter_id=young.pk) == []
    report(an_event("fresh", timestamp="2026-01-14T10:30:00Z"), now=NOW)
    dimensions = DimensionSet.objects.earliest("pk")
    BackfilledReading.objects.create(
        customer_id=chat.pk, timestamp=event.timestamp, meter_id=young.pk, event_id="a0",
        shape_id=event.shape_id, dimension_set_id=dimensions.pk, value="1",
    )  # fmt: skip
    assert ids(customer_id=chat.pk, meter_id=young.pk) == ["fresh", "a0"]
    assert ids(meter_id=young.pk) == ["fresh", "a0"]
    assert ids(meter_id=young.pk, starts_at=START) == ["fresh", "a0"]


def test_by_time_alone(events: None) -> None:
    hour = START + timedelta(hours=1)
    assert ids(starts_at=START, ends_at=hour) == ["b4", "b3", "b2", "b1", "a0", "b0"]
    assert ids(starts_at=START + timedelta(minutes=2), ends_at=START + timedelta(minutes=4)) == ["b3", "b2"]
    assert ids(ends_at=START) == ["old"]
    assert ids(starts_at=START, event_name="image.render") == ["image"]


def test_by_id_and_source(events: None) -> None:
    assert ids(ids=(("", "a1"),)) == ["a1"]
    found = find_events(
        Asked(ids=(("", "eu/west/a1"), ("eu", "west/a1"), ("eu/west", "a1"))), offset=0, limit=9
    )
    assert [event.source for event in found.events] == ["eu/west"]
    assert ids(ids=(("", "none"),)) == []
    assert ids(ids=(("", "a1"),), event_name="image.render") == []


def test_an_id_that_waits_is_told(events: None) -> None:
    report(an_event("lost", customer="nobody"), now=NOW)
    assert ids(ids=(("", "lost"),)) == []
    assert waiting_ids(Asked(ids=(("", "lost"), ("", "a1")))) == ["lost"]


def test_by_verdict(events: None, chat: Customer) -> None:
    void_event(event_id="b4", reason="Sent twice", now=NOW)
    amend_event(event_id="a2", changes={"properties": {"input_tokens": 7}}, reason="Wrong", now=NOW)
    found = find_events(Asked(verdict="voided"), offset=0, limit=50)
    assert [(one.event_id, one.shape.revision) for one in found.events] == [("a2", 0), ("b4", 0)]
    assert {key.hex for key in found.voided} == {key_of(one) for one in found.events}
    found = find_events(Asked(verdict="amended"), offset=0, limit=50)
    assert [(one.event_id, one.shape.revision) for one in found.events] == [("a2", 1)]
    assert found.voided == set()
    for asked in ({}, {"starts_at": START}):
        assert ids(verdict="counted", **asked)[:3] == ["a2", "image", "a1"]
        assert "b4" not in ids(verdict="counted", **asked)
    assert ids(customer_id=chat.pk, verdict="counted")[:2] == ["a2", "image"]
    assert ids(customer_id=chat.pk, verdict="voided") == ["a2"]
    # By its id all revisions are found, the latest first.
    assert [
        one.shape.revision for one in find_events(Asked(ids=(("", "a2"),)), offset=0, limit=9).events
    ] == [1, 0]


def test_each_revision_is_found_by_its_key(events: None) -> None:
    amend_event(event_id="a2", changes={"timestamp": START}, reason="Wrong", now=NOW)
    for event in UsageEvent.objects.select_related("shape"):
        same = event_by_key(UUID(hex=key_of(event)))
        assert same is not None
        assert (same.event_id, same.shape_id, same.timestamp) == (
            event.event_id,
            event.shape_id,
            event.timestamp,
        )


@pytest.mark.parametrize(
    "asked",
    [{}, {"starts_at": START}, {"event_name": "llm.call"}, {"verdict": "voided"}, {"ids": (("", "a1"),)},
     {"customer": True}, {"customer": True, "event_name": "llm.call"}],
)  # fmt: skip
def test_the_number_of_queries_is_fixed(events: None, chat: Customer, asked: dict[str, Any]) -> None:
    void_event(event_id="a1", reason="Sent twice", now=NOW)
    given = dict(asked)
    if given.pop("customer", False):
        given["customer_id"] = chat.pk

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ids(**given)
        assert not any("COUNT(" in one["sql"].upper() for one in captured)
        return len(captured)

    before = queries()
    report(*(an_event(f"more{n}") for n in range(40)), now=NOW)
    void_event(event_id="more1", reason="Sent twice", now=NOW)
    assert queries() == before <= 7


def test_another_tenant_finds_nothing(events: None, globex: Tenant) -> None:
    with tenant_context(globex):
        assert ids() == ids(starts_at=START) == ids(ids=(("", "a1"),)) == []
