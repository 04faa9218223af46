"""Sums and counts of days: of their hours until the day was rolled, and then kept; at every step what a scan finds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.analytics.selectors import daily_usage
from apps.catalog.models import Meter
from apps.core import jobs
from apps.customers.models import Customer
from apps.usage.models import DayMark, DayPart, MeterCardinality, RollupDay, RollupHour, UsageBackfill
from apps.usage.selectors import quantities
from apps.usage.selectors.asked import Asked
from apps.usage.selectors.found_events import find_events
from apps.usage.services import rollups
from apps.usage.services.cardinality import count_cardinality
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.backfills import open_backfill
from apps.usage.services.corrections.close_backfill import close_backfill
from apps.usage.services.corrections.revert_backfill import revert_backfill
from apps.usage.services.corrections.stage_events import stage_events
from apps.usage.services.corrections.void_event import void_event
from apps.usage.services.meter_backfill import discard, run
from apps.usage.services.meter_backfill.request import request_backfill
from apps.usage.services.rollups import roll
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.marks import DAY, STAGES, bring_to, set_mark
from tests.usage.test_rollups import make_every_meter
from tests.usage.totals import assert_rollups_equal_events, scanned_totals

# Days 0 and 1 are to be rolled, day -1 was, day 2 is today.
MARK = datetime(2026, 1, 14, tzinfo=UTC)
UNTIL = MARK + 2 * DAY
NOW = datetime(2026, 1, 16, 23, 30, tzinfo=UTC)
DAYS = range(-1, 3)


def event(
    name: str, day: int, level: int, *, customer: str = "chat", hour: int = 10, region: str = "eu"
) -> dict[str, Any]:
    return an_event(
        name,
        customer=customer,
        timestamp=(MARK + timedelta(days=day, hours=hour)).isoformat(),
        properties={"level": str(level), "region": region},
    )


@pytest.fixture
def meters(in_acme: Any) -> dict[str, Meter]:
    make_customer("chat")
    make_customer("code")
    found = make_every_meter()
    set_mark(written_before=MARK)
    for customer in ("chat", "code"):
        for day in DAYS:
            report(
                *(
                    event(
                        f"{customer}{day}{hour}",
                        day,
                        3 * day + hour + 5,
                        customer=customer,
                        hour=hour,
                        region="eu" if hour < 12 else "us",
                    )
                    for hour in (0, 9, 23)
                ),
                now=NOW,
            )
    return found


def additive_days() -> set[datetime]:
    return set(
        RollupDay.objects.filter(
            meter_id__in=Meter.objects.filter(aggregation__in=["sum", "count"]).values("pk")
        )
        .values_list("bucket", flat=True)
        .distinct()
    )


def assert_kept(until: datetime) -> None:
    """Every day before has its totals, in the table itself."""
    scanned = {key: one for key, one in scanned_totals("day").items() if key[3] < until}
    kept = {
        (row.customer_id, row.meter_id, row.dimension_set_id, row.bucket): (row.quantity, row.event_count)
        for row in RollupDay.objects.filter(bucket__lt=until)
    }
    assert kept == scanned


def asked() -> dict[int, Any]:
    """Over all days, by way of whole days."""
    return quantities(
        customer_id=Customer.objects.get(external_id="chat").pk,
        meter_ids=Meter.objects.values_list("pk", flat=True),
        start=MARK - 10 * DAY,
        end=MARK + 10 * DAY,
    )


def test_a_batch_writes_sums_and_counts_of_days_before_the_mark_alone(meters: dict[str, Meter]) -> None:
    assert additive_days() == {MARK - DAY}
    for name in ("max", "min", "latest", "unique_count", "time_weighted_sum"):
        assert RollupDay.objects.filter(meter_id=meters[name].pk, bucket__gte=MARK).count() == 12
    assert_rollups_equal_events()


def test_without_late_events_no_total_of_a_day_is_touched(in_acme: Any) -> None:
    make_customer("chat")
    make_meter("calls", aggregation="count", value_property="")
    set_mark(written_before=MARK)
    report(event("warm", 1, 1), now=NOW)
    with CaptureQueriesContext(connection) as on_time:
        report(event("e1", 1, 1), event("e2", 2, 1), now=NOW)
    with CaptureQueriesContext(connection) as late:
        report(event("e3", -1, 1), event("e4", 2, 1), now=NOW)
    assert len(on_time) == len(late)
    assert not [one for one in on_time.captured_queries if "usage_rollupday" in one["sql"]]
    assert [one for one in late.captured_queries if "usage_rollupday" in one["sql"]]
    assert_rollups_equal_events()


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_asked_does_not_change_while_days_are_rolled(meters: dict[str, Meter], stage: str) -> None:
    before = asked()
    bring_to(stage, UNTIL)
    assert_rollups_equal_events()
    assert asked() == before
    roll.roll_days(until=UNTIL)
    assert asked() == before
    assert additive_days() == {MARK - DAY, MARK, MARK + DAY}
    assert_kept(UNTIL)
    assert_rollups_equal_events()


def late() -> None:
    report(*(event(f"late{day}{hour}", day, 100, hour=hour) for day in DAYS for hour in (9, 17)), now=NOW)
    report(*(event(f"new{day}", day, 7, customer="code", region="ap") for day in DAYS), now=NOW)


def void() -> None:
    """Of each day; of one set of a day all."""
    for day in DAYS:
        for hour in (9, 23):
            void_event(event_id=f"chat{day}{hour}", reason="Test data", now=NOW)


def void_late() -> None:
    late()
    for day in DAYS:
        void_event(event_id=f"new{day}", reason="Test data", now=NOW)


def amend() -> None:
    """Other values, and other days: from each side of the mark to the other."""
    for day in DAYS:
        properties = {"level": "50", "region": "us"}
        amend_event(event_id=f"chat{day}9", changes={"properties": properties}, reason="Wrong", now=NOW)
        moved = {"timestamp": MARK + timedelta(days=1 - day, hours=5), "customer": "code"}
        amend_event(event_id=f"chat{day}23", changes=moved, reason="Wrong", now=NOW)


def report_anew() -> None:
    backfill = open_backfill(
        starts_at=MARK - DAY, ends_at=MARK + 3 * DAY, reason="Lost by the proxy", now=NOW, mode="replace"
    )
    stage_events(backfill=backfill, events=[event(f"again{day}", day, 9) for day in DAYS], now=NOW)
    close_backfill(backfill=backfill, now=NOW)


def report_anew_and_revert() -> None:
    before = asked()
    report_anew()
    assert_rollups_equal_events()
    revert_backfill(backfill=UsageBackfill.objects.get(), reason="Wrong file", now=NOW)
    assert asked() == before


def read_the_past() -> None:
    for name in ("sum", "count", "max"):
        younger = make_meter(
            f"younger-{name}", aggregation=name, value_property="" if name == "count" else "level"
        )
        backfill = request_backfill(meter=younger, now=NOW)
        assert run.run_backfill(backfill_id=backfill.pk, now=NOW, chunk=5).readings_added == 24


def recompute() -> None:
    for customer in Customer.objects.all():
        rollups.recompute(
            customer_id=customer.pk,
            meter_ids=Meter.objects.values_list("pk", flat=True),
            hours=set(RollupHour.objects.values_list("bucket", flat=True)),
        )


def forget_a_meter() -> None:
    discard.discard_readings(Meter.objects.get(code="sum"))


CHANGES: list[Callable[[], None]] = [
    late, void, void_late, amend, report_anew, report_anew_and_revert, read_the_past, recompute, forget_a_meter,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_changes_at_any_step(
    meters: dict[str, Meter], stage: str, change: Callable[[], None]
) -> None:
    bring_to(stage, UNTIL)
    change()
    assert_rollups_equal_events()
    before = asked()
    roll.roll_days(until=UNTIL)
    assert_rollups_equal_events()
    assert_kept(UNTIL)
    assert asked() == before
    assert not RollupDay.objects.filter(event_count__lte=0).exists()


def test_again_it_does_nothing(meters: dict[str, Meter]) -> None:
    roll.roll_days(until=UNTIL)
    before = list(RollupDay.objects.order_by("pk").values())
    roll.roll_days(until=UNTIL)
    roll.roll_days(until=MARK - 5 * DAY)
    assert list(RollupDay.objects.order_by("pk").values()) == before
    mark = DayMark.objects.get()
    assert (mark.written_before, mark.complete_before) == (UNTIL, UNTIL)


def test_years_without_usage_are_passed_in_one_go(meters: dict[str, Meter]) -> None:
    far = MARK + 4000 * DAY
    with CaptureQueriesContext(connection) as queries:
        roll.roll_days(until=far)
    assert DayMark.objects.get().complete_before == far
    assert len([one for one in queries.captured_queries if "SELECT least" in one["sql"]]) == 4
    assert_kept(far)


def test_it_is_due_three_hours_after_midnight(meters: dict[str, Meter]) -> None:
    jobs.run_due_jobs(UNTIL + timedelta(hours=2, minutes=59))
    assert DayMark.objects.get().complete_before == MARK + DAY
    assert jobs.run_due_jobs(UNTIL + timedelta(hours=3))["roll_days"] == 0
    assert DayMark.objects.get().complete_before == UNTIL
    with CaptureQueriesContext(connection) as queries:
        roll.roll_when_due(UNTIL + timedelta(hours=26))
    assert len(queries) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"written_before": MARK - DAY, "complete_before": MARK - DAY},
        {"complete_before": MARK - DAY},
        {"complete_before": MARK + DAY},
        {"written_before": MARK + timedelta(hours=1)},
    ],
)
def test_the_mark_only_moves_on_by_whole_days(meters: dict[str, Meter], fields: dict[str, datetime]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        DayMark.objects.update(**fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        DayMark.objects.all().delete()
    assert DayMark.objects.get().written_before == MARK


def test_a_new_tenant_begins_today(in_acme: Any) -> None:
    mark = DayMark.objects.get()
    assert mark.written_before == mark.complete_before
    assert mark.complete_before.time() == datetime.min.time()


def test_a_process_learns_that_the_mark_has_moved(fresh_database: str, in_acme: Any) -> None:
    make_customer("chat")
    make_meter("calls", aggregation="count", value_property="")
    set_mark(written_before=MARK)
    report(event("e1", 0, 1), now=NOW)
    assert additive_days() == set()
    roll.move_written(UNTIL)
    report(event("e2", 0, 1), event("e3", 2, 1), now=NOW)
    assert additive_days() == {MARK}
    assert_rollups_equal_events()
    roll.roll_days(until=UNTIL)
    assert_kept(UNTIL)


@pytest.mark.parametrize("stage", STAGES)
def test_pages_see_both_sides_of_the_mark(meters: dict[str, Meter], stage: str) -> None:
    bring_to(stage, UNTIL)
    with CaptureQueriesContext(connection) as queries:
        series = {one.meter.code: one for one in daily_usage(NOW)}
    assert len(queries) == 2
    assert {name: one.event_count for name, one in series.items()} == {"sum": 24, "count": 24}
    assert [quantity for _, quantity in series["count"].buckets][-5:] == [0, 6, 6, 6, 6]
    assert series["count"].buckets[-1][0] == UNTIL

    count_cardinality(now=NOW, counted_at=NOW)
    assert set(MeterCardinality.objects.values_list("dimension_sets", flat=True)) == {2}

    customer = Customer.objects.get(external_id="chat")
    for name in ("sum", "max"):
        question = Asked(customer_id=customer.pk, meter_id=meters[name].pk)
        found = find_events(question, offset=0, limit=8).events
        assert [one.event_id for one in found] == [
            f"chat{day}{hour}" for day in (2, 1, 0) for hour in (23, 9, 0)
        ][:8]
    assert set(DayPart.objects.values_list("bucket", flat=True)) == {MARK + day * DAY for day in DAYS}
