"""Many writers at once: nothing is lost, nothing counts twice, and nobody deadlocks."""

import random
from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from apps.tenants.models import Tenant
from apps.usage.models import DimensionSet, QuarantinedEvent, UsageEvent
from apps.usage.services.replay_quarantine import replay_quarantine
from tests.concurrency.together import returned, together
from tests.harness.factories import an_event, make_customer, make_meter, make_plan, report
from tests.usage.totals import assert_rollups_equal_events, metered

WRITERS = 8


def traffic(size: int) -> list[dict[str, Any]]:
    """Events of two customers in three hours; many share a bucket."""
    return [
        an_event(
            f"e{number}",
            customer="chat" if number % 3 else "code",
            timestamp=f"2026-01-15T{10 + number % 3}:{number % 60:02}:00Z",
            properties={"input_tokens": number, "output_tokens": f"{number}.5", "model": f"m{number % 4}"},
        )
        for number in range(size)
    ]


def send(batches: list[list[dict[str, Any]]]) -> Counter[str]:
    return Counter(verdict.status for batch in batches for verdict in report(*batch))


def cut(events: list[Any], size: int) -> list[list[Any]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


@pytest.fixture
def customers(fresh_database: str, in_acme: Tenant) -> None:
    make_customer("chat")
    make_customer("code")
    make_plan()


def test_eight_writers_with_overlapping_batches_equal_one(customers: None, acme: Tenant) -> None:
    events = traffic(600)
    shuffled = random.Random(7)
    plans = []
    for writer in range(WRITERS):
        own = list(events)
        shuffled.shuffle(own)
        plans.append(cut(own[: 300 + 40 * writer], (1, 7, 50, 200)[writer % 4]))
    sent = {event["id"] for plan in plans for batch in plan for event in batch}
    results = returned(together(acme, [partial(send, plan) for plan in plans]))
    counted = sum(results, Counter())
    assert set(counted) == {"accepted", "duplicate"}
    assert counted["accepted"] == len(sent) == UsageEvent.objects.count()
    numbers = [int(event_id[1:]) for event_id in sent]
    assert metered("input_tokens") == sum(numbers)
    assert metered("output_tokens") == sum(Decimal(f"{number}.5") for number in numbers)
    assert_rollups_equal_events()


def test_one_batch_sent_by_all_at_once_counts_once(customers: None, acme: Tenant) -> None:
    events = traffic(200)
    backwards = events[::-1]
    calls = [partial(send, [events if writer % 2 else backwards]) for writer in range(WRITERS)]
    counted = sum(returned(together(acme, calls)), Counter())
    assert counted == {"accepted": 200, "duplicate": 200 * (WRITERS - 1)}
    assert metered("input_tokens") == sum(range(200))
    assert_rollups_equal_events()


def test_different_events_for_the_same_totals_wait_in_one_order(customers: None, acme: Tenant) -> None:
    """No two batches share an event, all of them share every bucket, and each names them in an order of its own."""

    def batches(writer: int) -> list[list[dict[str, Any]]]:
        days = list(range(1, 29))
        random.Random(writer).shuffle(days)
        return [
            [
                an_event(f"{writer}-{turn}-{day}", timestamp=f"2026-01-{day:02}T10:00:00Z")
                for day in days[turn:] + days[:turn]
            ]
            for turn in range(6)
        ]

    calls = [partial(send, batches(writer)) for writer in range(WRITERS)]
    counted = sum(returned(together(acme, calls)), Counter())
    assert counted == {"accepted": 28 * 6 * WRITERS}
    assert metered("input_tokens") == 1000 * 28 * 6 * WRITERS
    assert_rollups_equal_events()


def test_of_contradicting_contents_one_wins_everywhere(customers: None, acme: Tenant) -> None:
    def batch(writer: int) -> list[dict[str, Any]]:
        return [an_event(f"e{number}", properties={"input_tokens": writer}) for number in range(50)]

    calls = [partial(send, [batch(writer)]) for writer in range(WRITERS)]
    counted = sum(returned(together(acme, calls)), Counter())
    assert counted == {"accepted": 50, "conflict": 50 * (WRITERS - 1)}
    assert UsageEvent.objects.count() == 50
    assert_rollups_equal_events()


def test_new_dimension_values_are_numbered_once(customers: None, acme: Tenant) -> None:
    make_meter("by_model", value_property="input_tokens", dimensions=["model"])

    def batch(writer: int) -> list[dict[str, Any]]:
        models = [f"m{number}" for number in range(30)]
        random.Random(writer).shuffle(models)
        return [
            an_event(f"{writer}-{model}", properties={"input_tokens": 1, "model": model}) for model in models
        ]

    calls = [partial(send, [batch(writer)]) for writer in range(WRITERS)]
    counted = sum(returned(together(acme, calls)), Counter())
    assert counted == {"accepted": 30 * WRITERS}
    assert DimensionSet.objects.exclude(values={}).count() == 30
    assert_rollups_equal_events()


def test_quarantine_is_replayed_while_clients_send_again(customers: None, acme: Tenant) -> None:
    waiting = [an_event(f"e{number}", customer="late") for number in range(100)]
    assert send([waiting]) == {"quarantined": 100}
    make_customer("late")
    now = QuarantinedEvent.objects.first().received_at

    def replay() -> int:
        return replay_quarantine(events=QuarantinedEvent.objects.all(), now=now).replayed

    results = returned(
        together(acme, [replay, partial(send, [waiting]), replay, partial(send, [waiting[::-1]]), replay])
    )
    accepted = sum(result["accepted"] for result in results if isinstance(result, Counter))
    assert accepted <= 100
    assert UsageEvent.objects.count() == 100
    assert set(QuarantinedEvent.objects.values_list("status", flat=True)) == {"replayed"}
    assert metered("input_tokens") == 100_000
    assert_rollups_equal_events()


def test_unknown_events_sent_by_all_at_once_wait_once(customers: None, acme: Tenant) -> None:
    waiting = [an_event(f"e{number}", customer="late") for number in range(100)]
    calls = [partial(send, [random.Random(writer).sample(waiting, 100)]) for writer in range(WRITERS)]
    counted = sum(returned(together(acme, calls)), Counter())
    assert counted == {"quarantined": 100 * WRITERS}
    assert QuarantinedEvent.objects.count() == 100
