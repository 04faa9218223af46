"""Days are rolled while events come into them, totals are corrected, and another rolls them too: nothing is lost."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import pytest
from django.db import transaction

from apps.catalog.models import Meter
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage.models import DayMark, RollupDay, UsageEvent
from apps.usage.selectors import quantities
from apps.usage.services import rollups
from apps.usage.services.corrections.void_event import void_event
from apps.usage.services.meter_backfill import discard, run
from apps.usage.services.meter_backfill.request import request_backfill
from apps.usage.services.rollups import roll
from tests.concurrency.test_ingestion import cut
from tests.concurrency.together import returned, together
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.marks import DAY, set_mark
from tests.usage.totals import assert_rollups_equal_events, scanned_totals

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 8
NOW = START + (DAYS + 1) * DAY
CUSTOMERS = ["chat", "code", "docs"]


@pytest.fixture
def meters(fresh_database: str, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One customer a chunk, so that there are many."""
    for name in CUSTOMERS:
        make_customer(name)
    set_mark(written_before=START)
    monkeypatch.setattr(roll, "CHUNK", 1)
    return [
        make_meter(
            str(one), aggregation=one, value_property="" if one == "count" else "level", dimensions=["region"]
        ).pk
        for one in Meter.Aggregation
    ]


def traffic(size: int, *, seed: int) -> list[dict[str, Any]]:
    """Two hours of each of the days, in no order: whichever day is rolled, some come later."""
    chance = random.Random(seed)
    return [
        an_event(
            f"e{seed}-{number}",
            customer=chance.choice(CUSTOMERS),
            timestamp=(
                START + timedelta(days=chance.randrange(DAYS), hours=3, seconds=chance.randrange(7_200))
            ).isoformat(),
            properties={"level": f"{chance.randrange(50)}.25", "region": f"r{number % 4}"},
        )
        for number in range(size)
    ]


def send(batches: list[list[dict[str, Any]]]) -> Counter[str]:
    return Counter(verdict.status for batch in batches for verdict in report(*batch, now=NOW))


def roll_all() -> Counter[str]:
    """Day by day, as a clock that runs fast."""
    for number in range(1, DAYS + 1):
        roll.roll_days(until=START + number * DAY)
    return Counter()


def assert_all_are_kept() -> None:
    assert DayMark.objects.get().complete_before == START + DAYS * DAY
    kept = {
        (row.customer_id, row.meter_id, row.dimension_set_id, row.bucket): (row.quantity, row.event_count)
        for row in RollupDay.objects.all()
    }
    assert kept == scanned_totals("day")
    assert_rollups_equal_events()


@pytest.mark.parametrize("seed", range(3))
def test_many_write_into_the_days_that_two_roll(meters: list[int], acme: Tenant, seed: int) -> None:
    plans = [cut(traffic(160, seed=10 * seed + writer), (3, 20, 40)[writer % 3]) for writer in range(5)]
    calls = [*(partial(send, plan) for plan in plans), roll_all, roll_all]
    counted = sum(returned(together(acme, calls)), Counter())
    assert counted == {"accepted": 5 * 160}
    assert UsageEvent.objects.count() == 5 * 160
    assert_all_are_kept()


def test_corrections_backfills_and_rebuilds_beside_it(meters: list[int], acme: Tenant) -> None:
    known = traffic(200, seed=90)
    assert send(cut(known, 50)) == {"accepted": 200}
    plans = [cut(traffic(100, seed=91 + writer), 10) for writer in range(2)]
    customers = list(Customer.objects.values_list("pk", flat=True))

    def void() -> Counter[str]:
        found: Counter[str] = Counter()
        for one in random.Random(1).sample(known, 60):
            try:
                void_event(event_id=one["id"], reason="Test data", now=NOW)
                found["voided"] += 1
            except Refused as refused:
                found[refused.code] += 1
        return found

    def read_the_past() -> Counter[str]:
        backfill = request_backfill(meter=make_meter("younger", value_property="level"), now=NOW)
        return Counter([run.run_backfill(backfill_id=backfill.pk, now=NOW, chunk=30).status])

    def rebuild() -> Counter[str]:
        for number in range(DAYS):
            hours = [START + number * DAY + timedelta(hours=hour) for hour in (3, 4)]
            rollups.rebuild_buckets(
                (customer, meter, hour) for customer in customers for meter in meters for hour in hours
            )
        return Counter()

    calls = [*(partial(send, plan) for plan in plans), void, read_the_past, rebuild, roll_all, roll_all]
    counted = sum(returned(together(acme, calls)), Counter())
    assert counted == {"accepted": 200, "voided": 60, "done": 1}
    assert_all_are_kept()


def test_whoever_asks_meanwhile_finds_the_same(meters: list[int], acme: Tenant) -> None:
    assert send(cut(traffic(150, seed=70), 50)) == {"accepted": 150}
    customer = Customer.objects.get(external_id="chat")

    def asked() -> dict[int, Any]:
        return quantities(
            customer_id=customer.pk, meter_ids=meters, start=START - DAY, end=START + (DAYS + 5) * DAY
        )

    before = asked()

    def ask() -> Counter[str]:
        for _ in range(60):
            assert asked() == before
        return Counter()

    returned(together(acme, [ask, ask, roll_all, roll_all]))
    assert asked() == before
    assert_all_are_kept()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_batch_under_way_is_waited_for(meters: list[int], acme: Tenant, is_first: bool) -> None:
    """It has written its late totals, or is about to, when the roller comes to them."""
    day = START + DAY
    assert send([traffic(100, seed=60)]) == {"accepted": 100}
    roll.move_written(day)
    has_written, has_rolled = Event(), Event()
    late = [
        an_event(
            f"late{number}",
            customer=CUSTOMERS[number % 3],
            timestamp=(START + timedelta(hours=number)).isoformat(),
            properties={"level": "7", "region": f"r{number % 5}"},
        )
        for number in range(20)
    ]

    def write() -> Counter[str]:
        with transaction.atomic():
            found = send([late])
            has_written.set()
            if is_first:
                # The roller is at the first of these rows by now, and gets no further.
                assert not has_rolled.wait(0.5)
        return found

    def roll_behind() -> Counter[str]:
        if is_first:
            assert has_written.wait(30)
        roll.roll_day(START)
        has_rolled.set()
        return Counter()

    assert sum(returned(together(acme, [write, roll_behind])), Counter()) == {"accepted": 20}
    assert_rollups_equal_events()
    roll.roll_days(until=START + DAYS * DAY)
    assert_all_are_kept()


def test_what_a_draft_counted_is_not_rolled_while_it_is_forgotten(
    meters: list[int], acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever forgets it would not see the rows that the roller has just made."""
    meter = Meter.objects.get(code="sum")
    assert send([traffic(100, seed=50)]) == {"accepted": 100}
    is_rolling, has_forgotten, has_rolled = Event(), Event(), Event()
    execute = roll.execute

    def slowly(*given: Any) -> Any:
        is_rolling.set()
        assert not has_forgotten.wait(0.3)
        return execute(*given)

    def roll_first() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(roll, "CHUNK", 100)
            patch.setattr(roll, "execute", slowly)
            roll.roll_days(until=START + DAY)
        has_rolled.set()

    def forget() -> None:
        assert is_rolling.wait(30)
        with transaction.atomic():
            discard.discard_readings(meter)
            has_forgotten.set()
            has_rolled.wait(0.3)

    returned(together(acme, [roll_first, forget]))
    assert not RollupDay.objects.filter(meter_id=meter.pk).exists()
    roll.roll_days(until=START + DAYS * DAY)
    assert_all_are_kept()
