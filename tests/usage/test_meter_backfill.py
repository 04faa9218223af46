"""A meter that reads the past: the result is what it would have counted, had it been there."""

import random
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from psycopg.errors import DeadlockDetected

from apps.catalog.models import Meter
from apps.catalog.services import meters
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage import tasks
from apps.usage.models import BackfilledReading, DimensionSet, MeterBackfill, RollupHour
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.void_event import void_event
from apps.usage.services.meter_backfill import readings, run
from apps.usage.services.meter_backfill.request import cancel_backfill, request_backfill
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.counting import assert_totals_equal_what_counts
from tests.usage.totals import metered

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Aggregation = Meter.Aggregation
KINDS: dict[str, dict[str, Any]] = {
    "sum": {"value_property": "tokens"},
    "count": {"aggregation": Aggregation.COUNT, "value_property": ""},
    "max": {"aggregation": Aggregation.MAX, "value_property": "tokens"},
    "min": {"aggregation": Aggregation.MIN, "value_property": "tokens"},
    "latest": {"aggregation": Aggregation.LATEST, "value_property": "tokens"},
    "unique": {"aggregation": Aggregation.UNIQUE_COUNT, "value_property": "user"},
    "level": {"aggregation": Aggregation.TIME_WEIGHTED_SUM, "value_property": "seats"},
    "formula": {"value_property": "", "value_expression": "tokens + 5 * seats"},
    "filtered": {
        "value_property": "tokens",
        "dimensions": ["model", "region"],
        "filters": [{"property": "region", "operator": "in", "values": ["eu", "us"]}],
    },
}


def kind(code: str, name: str, **fields: Any) -> Meter:
    return make_meter(code, **{**KINDS[name], **fields})


def past(count: int, *, seed: int = 5) -> list[dict]:
    """Events of two customers over three months, in no order, some without some properties."""
    chance = random.Random(seed)
    events = []
    for number in range(count):
        properties = {
            "tokens": chance.choice([number, f"{number}.25", 0]),
            "seats": chance.randrange(20),
            "user": f"u{chance.randrange(15)}",
            "model": f"m{chance.randrange(3)}",
            "region": chance.choice(["eu", "us", "asia"]),
            "any": 1,
        }
        for name in ("tokens", "user", "region"):
            if chance.random() < 0.1:
                del properties[name]
        events.append(
            an_event(
                f"p{seed}-{number}",
                customer=chance.choice(["chat", "code"]),
                timestamp=f"2026-{chance.choice(['01-30', '02-01', '02-10'])}T{chance.randrange(3):02}"
                f":{chance.randrange(60):02}:{chance.randrange(60):02}Z",
                properties=properties,
            )
        )
    chance.shuffle(events)
    return events


@pytest.fixture
def tenant_with_past(in_acme: Tenant) -> Customer:
    customer = make_customer("chat")
    make_customer("code")
    make_meter("any", value_property="any")
    return customer


def backfill(meter: Meter, *, chunk: int = 70, **fields: Any) -> MeterBackfill:
    asked = request_backfill(meter=meter, now=NOW, **fields)
    return run.run_backfill(backfill_id=asked.pk, now=NOW, chunk=chunk)


def stored(meter: Meter) -> dict[str, list[tuple]]:
    """Everything that was counted for a meter."""
    key = "customer_id, bucket, dimension_set_id"
    tables = {
        "usage_rolluphour": f"{key}, quantity, event_count, first_at, last_at, last_value",
        "usage_rollupday": f"{key}, quantity, event_count, first_at, last_at, last_value",
        "usage_uniquehour": f"{key}, value_hash, event_count",
        "usage_uniqueday": f"{key}, value_hash, event_count",
        "usage_reading": 'customer_id, bucket, "timestamp", event_id, dimension_set_id, value::text',
    }
    found = {}
    with connection.cursor() as cursor:
        for table, columns in tables.items():
            cursor.execute(f"SELECT {columns} FROM {table} WHERE meter_id = %s", [meter.pk])
            found[table] = sorted(cursor.fetchall(), key=repr)
    return found


def plain(found: dict[str, list[tuple]]) -> dict[str, list[tuple]]:
    """Numbers as numbers: 7 and 7.0 are the same reading."""
    rows = found["usage_reading"]
    found["usage_reading"] = sorted(((*row[:-1], number_or_text(row[-1])) for row in rows), key=repr)
    return found


def number_or_text(value: str) -> str:
    try:
        return str(Fraction(value))
    except ValueError:
        return value


@pytest.mark.parametrize("name", KINDS)
def test_backfilled_equals_live(tenant_with_past: Customer, name: str) -> None:
    live = kind("live", name)
    report(*past(200), now=NOW)
    younger = kind("younger", name)
    report(*past(100, seed=6), now=NOW)
    done = backfill(younger)
    assert done.status == "done"
    # Younger events that it does not read may look as older ones do.
    assert 200 <= done.events_seen == done.events_expected
    assert plain(stored(younger)) == plain(stored(live))
    assert_totals_equal_what_counts()


def test_again_it_adds_nothing(tenant_with_past: Customer) -> None:
    report(*past(50), now=NOW)
    meter = kind("younger", "sum")
    first = backfill(meter)
    before = stored(meter)
    second = backfill(meter)
    assert (first.readings_added > 0, second.readings_added) == (True, 0)
    assert stored(meter) == before


def test_a_range_reads_its_events_alone(tenant_with_past: Customer) -> None:
    report(*past(120), now=NOW)
    meter = kind("younger", "count")
    start, end = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
    expected = sum(start.date().isoformat() in event["timestamp"] for event in past(120))
    done = backfill(meter, starts_at=start, ends_at=end)
    assert (done.events_seen, metered("younger")) == (expected, expected)
    rest = backfill(meter)
    assert (rest.readings_added, metered("younger")) == (120 - expected, 120)
    assert_totals_equal_what_counts()


def test_what_is_no_number_is_skipped_and_named(tenant_with_past: Customer) -> None:
    report(
        *[an_event(f"e{one}", properties={"any": 1, "tokens": value}) for one, value in enumerate(["x", 5])]
    )
    done = backfill(kind("younger", "sum"))
    assert (done.readings_added, done.events_skipped) == (1, 1)
    [example] = done.skipped_examples
    assert (example["id"], example["code"]) == ("e0", "invalid_value")


def test_voided_events_are_read_and_not_counted(tenant_with_past: Customer) -> None:
    report(*[an_event(f"e{one}", properties={"any": 1, "tokens": 5}) for one in range(3)], now=NOW)
    void_event(event_id="e0", reason="Test data", now=NOW)
    for name in KINDS:
        backfill(kind(name, name))
    assert metered("sum") == 10
    assert BackfilledReading.objects.filter(meter_id=Meter.objects.get(code="sum").pk).count() == 3
    void_event(event_id="e1", reason="Test data", now=NOW)
    assert (metered("sum"), metered("count"), metered("max")) == (5, 1, 5)
    amend_event(event_id="e2", changes={"properties": {"any": 1, "tokens": 7}}, reason="Wrong", now=NOW)
    assert (metered("sum"), metered("count"), metered("max")) == (7, 1, 7)
    assert_totals_equal_what_counts()


def test_an_interrupted_one_goes_on_where_it_was(
    tenant_with_past: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = kind("live", "level")
    report(*past(200), now=NOW)
    meter = kind("younger", "level")
    asked = request_backfill(meter=meter, now=NOW)
    genuine, calls = readings.store, []

    def killed(*args: Any) -> int:
        calls.append(1)
        if len(calls) == 3:
            raise MemoryError
        return genuine(*args)

    monkeypatch.setattr(readings, "store", killed)
    with pytest.raises(MemoryError):
        run.run_backfill(backfill_id=asked.pk, now=NOW, chunk=40)
    asked.refresh_from_db()
    assert (asked.status, asked.error) == ("running", "MemoryError()")
    assert 0 < asked.events_seen < 200
    run.run_backfill(backfill_id=asked.pk, now=NOW, chunk=40)
    asked.refresh_from_db()
    assert (asked.status, asked.events_seen) == ("done", 200)
    assert plain(stored(meter)) == plain(stored(live))


@pytest.mark.parametrize("name", KINDS)
def test_a_draft_that_is_changed_starts_anew(tenant_with_past: Customer, name: str) -> None:
    """After the change and a backfill it counts as a fresh meter of that definition, live."""
    live = kind("live", name)
    first = "count" if name == "sum" else "sum"
    draft = kind("draft", first, status=Meter.Status.DRAFT)
    report(*past(150), now=NOW)
    backfill(draft)
    definition = {"value_expression": "", "aggregation": Aggregation.SUM, "filters": [], "dimensions": []}
    changed = meters.change_meter(meter=draft, **{**definition, **KINDS[name]})
    assert not any(stored(changed).values())
    report(*past(80, seed=6), now=NOW)
    backfill(changed)
    assert plain(stored(changed)) == plain(stored(live))
    back = meters.change_meter(
        meter=changed, filters=[{"property": "model", "operator": "in", "values": ["m1"]}]
    )
    again = meters.change_meter(meter=back, filters=KINDS[name].get("filters", []))
    report(*past(40, seed=7), now=NOW)
    backfill(again)
    assert plain(stored(again)) == plain(stored(live))
    assert_totals_equal_what_counts()


def test_a_change_calls_off_what_is_under_way(tenant_with_past: Customer) -> None:
    report(*past(20), now=NOW)
    draft = kind("draft", "sum", status=Meter.Status.DRAFT)
    asked = request_backfill(meter=draft, now=NOW)
    meters.change_meter(meter=draft, value_property="seats")
    asked.refresh_from_db()
    assert (asked.status, asked.error) == ("cancelled", run.CHANGED)
    assert run.run_backfill(backfill_id=asked.pk, now=NOW).status == "cancelled"


def test_one_at_a_time(tenant_with_past: Customer) -> None:
    meter = kind("younger", "sum")
    asked = request_backfill(meter=meter, now=NOW)
    with pytest.raises(Refused) as refused:
        request_backfill(meter=meter, now=NOW)
    assert refused.value.code == "backfill_unfinished"
    assert cancel_backfill(backfill=asked, now=NOW)
    assert not cancel_backfill(backfill=asked, now=NOW)
    request_backfill(meter=meter, now=NOW)


def test_an_archived_meter_reads_nothing(tenant_with_past: Customer) -> None:
    meter = kind("younger", "sum")
    meters.archive_meter(meter=meter, now=NOW)
    meter.refresh_from_db()
    with pytest.raises(Refused) as refused:
        request_backfill(meter=meter, now=NOW)
    assert refused.value.code == "meter_archived"


def test_what_a_deadlock_undoes_is_not_remembered(
    fresh_database: str, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the second attempt would count for dimension sets that are not there."""
    make_customer("chat")
    make_meter("first", value_property="tokens")
    report(an_event("e1", properties={"tokens": 5, "region": "eu"}), now=NOW)
    younger = kind("younger", "sum", dimensions=["region"])
    asked = request_backfill(meter=younger, now=NOW)
    store, calls = readings.store, []

    def dies_once(*given: Any) -> int:
        added = store(*given)
        calls.append(added)
        if len(calls) == 1:
            raise OperationalError("deadlock detected") from DeadlockDetected()
        return added

    monkeypatch.setattr(readings, "store", dies_once)
    done = run.run_backfill(backfill_id=asked.pk, now=NOW)
    assert (done.status, calls) == ("done", [1, 1])
    total = RollupHour.objects.get(meter_id=younger.pk)
    assert DimensionSet.objects.get(pk=total.dimension_set_id).values == {"region": "eu"}
    assert total.quantity == 5


def test_a_lost_worker_is_replaced(tenant_with_past: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tasks.run_meter_backfill, "delay", sent.append)
    asked = request_backfill(meter=kind("younger", "sum"), now=NOW)
    assert (tasks.send_waiting_backfills(NOW), sent) == (1, [asked.pk])
    run.begin(asked.pk, now=NOW)
    assert tasks.send_waiting_backfills(NOW) == 0
    MeterBackfill.objects.update(stepped_at=NOW.replace(year=2020))
    assert (tasks.send_waiting_backfills(NOW), sent) == (1, [asked.pk] * 2)
    tasks.run_meter_backfill.run(asked.pk)
    asked.refresh_from_db()
    assert asked.status == "done"


def test_runs_in_the_foreground(tenant_with_past: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    report(*past(20), now=NOW)
    kind("younger", "count")
    call_command("backfill_meter", "acme", "younger")
    assert capsys.readouterr().out == "Done: 20 events gone over, 20 readings added, 0 skipped.\n"


def test_a_zero_with_more_decimals_than_any_number_has_is_skipped(tenant_with_past: Customer) -> None:
    """While nothing metered it, it was some text among others."""
    zero = "0." + "0" * 20_000
    report(
        an_event("zero", properties={"any": 1, "tokens": zero}, timestamp="2026-02-01T00:00:00Z"),
        an_event("one", properties={"any": 1, "tokens": "1"}, timestamp="2026-02-01T00:00:00Z"),
        now=NOW,
    )
    done = backfill(kind("tokens", "sum"))
    assert (done.status, done.events_skipped, done.readings_added) == ("done", 1, 1)
    assert [(one["id"], one["code"]) for one in done.skipped_examples] == [("zero", "value_out_of_range")]
    assert metered("tokens") == 1
