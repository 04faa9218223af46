"""Totals of every aggregation: the same in whatever order and batches events come, and when they are read anew."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.usage.models import RollupHour
from apps.usage.services import rollups
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.totals import assert_rollups_equal_events

AGGREGATIONS = [str(one) for one in Meter.Aggregation]
NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def make_every_meter() -> dict[str, Meter]:
    """One of each aggregation, over the same property."""
    return {
        one: make_meter(
            one, aggregation=one, value_property="" if one == "count" else "level", dimensions=["region"]
        )
        for one in AGGREGATIONS
    }


def at(minutes: float, level: object, region: str = "eu", **fields: Any) -> dict[str, Any]:
    instant = NOON + timedelta(minutes=minutes)
    fields.setdefault("event_id", f"{minutes} {level} {region}")
    return an_event(
        fields.pop("event_id"),
        timestamp=instant.isoformat(),
        properties={"level": str(level), "region": region},
        **fields,
    )


@pytest.fixture
def meters(in_acme: Any) -> dict[str, Meter]:
    make_customer("chat")
    make_customer("code")
    return make_every_meter()


def hour_of(meter: Meter) -> RollupHour:
    return RollupHour.objects.get(meter_id=meter.pk)


def test_an_hour_of_every_aggregation(meters: dict[str, Meter]) -> None:
    report(at(10, 5), at(40, "2.5"), at(30, 7), at(50, 5))
    quantities = {name: hour_of(meter).quantity for name, meter in meters.items()}
    minute = 60_000_000
    assert quantities == {
        "sum": Decimal("19.5"),
        "count": 4,
        "max": 7,
        "min": Decimal("2.5"),
        "latest": 5,
        "unique_count": 3,
        "time_weighted_sum": (5 * 20 + 7 * 10 + 25) * minute,
    }
    assert {hour_of(meter).event_count for meter in meters.values()} == {4}
    assert_rollups_equal_events()


def test_of_two_values_at_one_instant_the_largest_is_the_latest(meters: dict[str, Meter]) -> None:
    for batch in ([at(10, 5), at(10, 9)], [at(10, 7)], [at(20, 1)]):
        report(*batch)
    assert hour_of(meters["latest"]).quantity == 1
    assert hour_of(meters["time_weighted_sum"]).quantity == 9 * 10 * 60_000_000
    assert_rollups_equal_events()


@pytest.mark.parametrize("seed", range(6))
def test_order_and_batches_do_not_matter(meters: dict[str, Meter], seed: int) -> None:
    chance = random.Random(seed)
    events = [
        at(
            chance.choice([chance.randrange(-3000, 3000) / 7, chance.randrange(-40, 40)]),
            chance.choice([chance.randrange(4), "0.000000000000000001", "9999999999999999999.5"]),
            chance.choice(["eu", "us", ""]),
            event_id=f"e{number}",
            customer=chance.choice(["chat", "code"]),
        )
        for number in range(60)
    ]
    while events:
        size = chance.choice([1, 2, 9, 30])
        batch, events = events[:size], events[size:]
        report(*batch, batch[0])
    assert_rollups_equal_events()
    before = list(RollupHour.objects.order_by("pk").values())
    for customer in Customer.objects.all():
        rollups.recompute(
            customer_id=customer.pk,
            meter_ids=[meter.pk for meter in meters.values()],
            hours={row["bucket"] for row in before},
        )
    assert list(RollupHour.objects.order_by("pk").values()) == before
    assert_rollups_equal_events()
