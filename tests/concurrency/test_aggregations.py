"""Totals of every aggregation, with many writers at once: what one writer alone would have written."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage.models import DimensionSet, RollupDay, RollupHour, UniqueDay, UniqueHour, UsageEvent
from apps.usage.selectors import quantities
from apps.usage.services import rollups
from tests.concurrency.test_ingestion import WRITERS, cut, send
from tests.concurrency.together import returned, together
from tests.harness.evidence import rolled_back
from tests.harness.factories import an_event, make_customer, make_meter
from tests.usage.totals import assert_rollups_equal_events

START = datetime(2026, 1, 15, 22, tzinfo=UTC)


@pytest.fixture
def meters(fresh_database: str, in_acme: Tenant) -> list[int]:
    make_customer("chat")
    make_customer("code")
    return [
        make_meter(
            str(one), aggregation=one, value_property="" if one == "count" else "level", dimensions=["region"]
        ).pk
        for one in Meter.Aggregation
    ]


def traffic(size: int) -> list[dict[str, Any]]:
    """Four hours around midnight; instants and values come again, and most events share a bucket."""
    chance = random.Random(11)
    return [
        an_event(
            f"e{number}",
            customer="chat" if number % 3 else "code",
            timestamp=(START + timedelta(seconds=chance.randrange(14_400))).isoformat(),
            properties={"level": f"{chance.randrange(50)}.25", "region": f"r{number % 2}"},
        )
        for number in range(size)
    ]


def totals() -> list[list[str]]:
    """All rows, with dimension values instead of the numbers of their sets, which are given as they come."""
    regions = {one.pk: one.values.get("region", "") for one in DimensionSet.objects.all()}
    return [
        sorted(
            str({**row, "dimension_set_id": regions[row["dimension_set_id"]]})
            for row in model.objects.values()
        )
        for model in (RollupHour, RollupDay, UniqueHour, UniqueDay)
    ]


def plans_of(events: list[dict[str, Any]]) -> list[list[list[dict[str, Any]]]]:
    """Overlapping, each in an order of its own, in batches of all sizes."""
    shuffled = random.Random(7)
    plans = []
    for writer in range(WRITERS):
        own = list(events)
        shuffled.shuffle(own)
        plans.append(cut(own[: len(own) // 2 + 20 * writer], (1, 7, 50, 200)[writer % 4]))
    return plans


def test_eight_writers_equal_one(meters: list[int], acme: Tenant) -> None:
    plans = plans_of(traffic(400))
    sent = {event["id"]: event for plan in plans for batch in plan for event in batch}
    with rolled_back():
        assert set(send(cut(list(sent.values()), 100))) == {"accepted"}
        alone = totals()
    counted = sum(returned(together(acme, [partial(send, plan) for plan in plans])), Counter())
    assert set(counted) == {"accepted", "duplicate"}
    assert counted["accepted"] == len(sent) == UsageEvent.objects.count()
    assert totals() == alone
    assert_rollups_equal_events()


def test_totals_are_rebuilt_while_events_come_in(meters: list[int], acme: Tenant) -> None:
    plans = plans_of(traffic(300))
    hours = {START + timedelta(hours=offset) for offset in range(4)}
    customers = list(Customer.objects.values_list("pk", flat=True))

    def rebuild() -> Counter[str]:
        for _ in range(10):
            rollups.rebuild_buckets(
                (customer, meter, hour) for customer in customers for meter in meters for hour in hours
            )
        return Counter()

    calls = [*(partial(send, plan) for plan in plans), rebuild, rebuild]
    counted = sum(returned(together(acme, calls)), Counter())
    assert counted["accepted"] == UsageEvent.objects.count()
    assert_rollups_equal_events()


def test_a_total_is_seen_whole_or_not_at_all(meters: list[int], acme: Tenant) -> None:
    """Whoever asks while events come in finds every meter at the same number of events."""
    customer = Customer.objects.get(external_id="chat")
    plans = plans_of(traffic(200))

    def ask() -> Counter[str]:
        for _ in range(40):
            with transaction.atomic():
                used = quantities(
                    customer_id=customer.pk,
                    meter_ids=meters,
                    start=START + timedelta(minutes=10),
                    end=START + timedelta(hours=3, minutes=20),
                )
            assert len({one.event_count for one in used.values()}) == 1
        return Counter()

    returned(together(acme, [*(partial(send, plan) for plan in plans), ask, ask]))
