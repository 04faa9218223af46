"""Quarantine: events nobody can be billed for yet are kept, listed and replayed, and count once."""

from datetime import UTC, datetime

import pytest

from apps.customers.models import Customer
from apps.usage.models import QuarantinedEvent, UsageEvent
from apps.usage.services.replay_quarantine import Replayed, replay_quarantine
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.totals import assert_rollups_equal_events, metered

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 12, tzinfo=UTC)
Status = QuarantinedEvent.Status


def statuses(*events: dict, now: datetime = NOW) -> list[str]:
    return [verdict.status for verdict in report(*events, now=now)]


def replay(now: datetime = LATER) -> Replayed:
    return replay_quarantine(events=QuarantinedEvent.objects.all(), now=now)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"customer": "nobody"}, "unknown_customer"),
        ({"customer": "cus_nobody"}, "unknown_customer"),
        ({"event": "image.render"}, "unknown_meter"),
        ({"properties": {"model": "gpt-5"}}, "missing_value"),
        ({"properties": {"input_tokens": None}}, "missing_value"),
        ({"customer": "nobody", "event": "image.render"}, "unknown_customer"),
    ],
)
def test_keeps_what_can_not_be_counted_yet(chat: Customer, change: dict, reason: str) -> None:
    [verdict] = report(an_event(**change), now=NOW)
    assert (verdict.status, verdict.code) == ("quarantined", reason)
    kept = QuarantinedEvent.objects.get()
    event = an_event(**change)
    assert (kept.event_id, kept.event_name, kept.customer_reference, kept.properties) == (
        "e1", event["event"], event["customer"], event["properties"],
    )  # fmt: skip
    assert (kept.reason, kept.status, kept.received_at, kept.replayed_at) == (reason, "waiting", NOW, None)
    assert not UsageEvent.objects.exists()


def test_a_malformed_event_of_an_unknown_customer_is_rejected(chat: Customer) -> None:
    """After a replay it would only be malformed again."""
    assert statuses(an_event(customer="nobody", properties={"input_tokens": "many"})) == ["rejected"]
    assert not QuarantinedEvent.objects.exists()


def test_sent_again_it_waits_as_it_did(chat: Customer) -> None:
    event = an_event(customer="nobody")
    assert statuses(event, event) == ["quarantined", "quarantined"]
    with nothing_changes_in("acme"):
        assert statuses(event, event, now=LATER) == ["quarantined", "quarantined"]
    assert QuarantinedEvent.objects.count() == 1


def test_contradicting_content_is_a_conflict(chat: Customer) -> None:
    event = an_event(customer="nobody")
    other = an_event(customer="nobody", properties={"input_tokens": 1})
    assert statuses(event, other) == ["quarantined", "conflict"]
    with nothing_changes_in("acme"):
        assert statuses(other, event) == ["conflict", "quarantined"]
        assert statuses(an_event(customer="chat")) == ["conflict"]


def test_replay_without_a_customer_changes_nothing(chat: Customer) -> None:
    report(an_event(customer="nobody"), now=NOW)
    with nothing_changes_in("acme"):
        assert replay() == Replayed(replayed=0, waiting=1)


def test_replay_counts_once_the_customer_exists(chat: Customer) -> None:
    report(an_event("a", customer="late"), an_event("b", customer="nobody"), now=NOW)
    make_customer("late")
    assert replay() == Replayed(replayed=1, waiting=1)
    event = UsageEvent.objects.get()
    assert (event.event_id, event.timestamp.isoformat()) == ("a", "2026-01-15T10:00:00+00:00")
    kept = QuarantinedEvent.objects.get(event_id="a")
    assert (kept.status, kept.replayed_at) == (Status.REPLAYED, LATER)
    assert QuarantinedEvent.objects.get(event_id="b").status == Status.WAITING
    assert metered("input_tokens") == 1000
    assert_rollups_equal_events()


def test_replay_counts_once_the_meter_exists(chat: Customer) -> None:
    report(an_event(event="image.render", properties={"n": 0.1, "size": 1e2}), now=NOW)
    make_meter("images", event_name="image.render", value_property="n", dimensions=["size"])
    assert replay() == Replayed(replayed=1, waiting=0)
    assert str(metered("images").normalize()) == "0.1"


def test_an_event_without_a_time_keeps_that_of_its_arrival(chat: Customer) -> None:
    report(an_event(customer="late", timestamp=None), now=NOW)
    make_customer("late")
    replay()
    assert UsageEvent.objects.get().timestamp == NOW
    assert statuses(an_event(customer="late", timestamp=None), now=LATER) == ["duplicate"]


def test_replay_twice_counts_once(chat: Customer) -> None:
    report(an_event(customer="late"), now=NOW)
    make_customer("late")
    replay()
    with nothing_changes_in("acme"):
        assert replay() == Replayed(replayed=0, waiting=0)


def test_sent_again_after_the_replay_it_is_a_duplicate(chat: Customer) -> None:
    event = an_event(customer="late")
    report(event, now=NOW)
    make_customer("late")
    replay()
    with nothing_changes_in("acme"):
        assert statuses(event) == ["duplicate"]


def test_sent_again_and_then_replayed_it_counts_once(chat: Customer) -> None:
    event = an_event(customer="late")
    report(event, now=NOW)
    make_customer("late")
    assert statuses(event, now=LATER) == ["accepted"]
    assert QuarantinedEvent.objects.get().status == Status.REPLAYED
    with nothing_changes_in("acme"):
        assert replay() == Replayed(replayed=0, waiting=0)
    assert metered("input_tokens") == 1000
    assert_rollups_equal_events()


def test_replay_passes_the_size_of_a_batch(chat: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.usage.services.replay_quarantine.BATCH", 10)
    report(*[an_event(f"e{index}", customer="late") for index in range(25)], now=NOW)
    make_customer("late")
    assert replay() == Replayed(replayed=25, waiting=0)
    assert metered("input_tokens") == 25_000


def test_only_the_chosen_events_are_replayed(chat: Customer) -> None:
    report(an_event("a", customer="late"), an_event("b", customer="late"), now=NOW)
    make_customer("late")
    chosen = QuarantinedEvent.objects.filter(event_id="b")
    assert replay_quarantine(events=chosen, now=LATER) == Replayed(replayed=1, waiting=0)
    assert list(UsageEvent.objects.values_list("event_id", flat=True)) == ["b"]


def test_the_other_tenant_s_customer_is_unknown(chat: Customer, acme_api: Api, globex_api: Api) -> None:
    with nothing_changes_in("acme"):
        answer = globex_api.report(an_event(customer=chat.public_id))
    assert answer["results"][0]["code"] == "unknown_customer"


def test_a_retry_counts_at_the_time_the_event_first_came_with(chat: Customer) -> None:
    """Without a timestamp of its own it would move to the next month, and to another bill."""
    before = datetime(2026, 1, 31, 23, tzinfo=UTC)
    event = an_event(customer="nobody", timestamp=None)
    assert statuses(event, now=before) == ["quarantined"]
    make_customer("nobody")
    assert statuses(event, now=datetime(2026, 2, 1, 1, tzinfo=UTC)) == ["accepted"]
    assert UsageEvent.objects.get().timestamp == before
    assert QuarantinedEvent.objects.get().status == Status.REPLAYED
    assert_rollups_equal_events()
