"""A range that is reported anew: staged without an effect, closed in one step, and reverted exactly."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from apps.core.errors import Invalid, Refused
from apps.customers.models import Customer
from apps.usage.models import (
    ArchivedPartition,
    BackfillEvent,
    UsageBackfill,
    UsageCorrection,
    VoidedEvent,
    backfill,
)
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.backfills import discard_backfill, open_backfill
from apps.usage.services.corrections.close_backfill import close_backfill
from apps.usage.services.corrections.revert_backfill import revert_backfill
from apps.usage.services.corrections.stage_events import stage_events
from apps.usage.services.corrections.void_event import void_event
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.counting import assert_totals_equal_what_counts
from tests.usage.totals import metered

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


def opened(mode: str = "add", **fields: Any) -> UsageBackfill:
    wanted = {"starts_at": START, "ends_at": END, "reason": "Lost by the proxy", "now": NOW, "mode": mode}
    return open_backfill(**{**wanted, **fields})


def stage(target: UsageBackfill, *events: Any) -> list[str]:
    return [one.status for one in stage_events(backfill=target, events=list(events), now=NOW)]


def codes(target: UsageBackfill, *events: Any) -> list[str]:
    return [one.code for one in stage_events(backfill=target, events=list(events), now=NOW)]


def close(target: UsageBackfill) -> dict[str, int]:
    """The outcome without zeros."""
    target.outcome = close_backfill(backfill=target, now=NOW).outcome
    return {name: count for name, count in target.outcome.items() if count}


def revert(target: UsageBackfill) -> UsageBackfill:
    return revert_backfill(backfill=target, reason="Wrong file", now=NOW)


def used(event_id: str, tokens: int, **fields: Any) -> dict[str, Any]:
    return an_event(event_id, properties={"input_tokens": tokens, "model": "gpt-5"}, **fields)


def everything_that_counts() -> dict[str, list[tuple]]:
    found = {}
    with connection.cursor() as cursor:
        for table in (
            "usage_rolluphour",
            "usage_rollupday",
            "usage_uniquehour",
            "usage_uniqueday",
            "usage_reading",
        ):
            cursor.execute(f"SELECT * FROM {table}")
            found[table] = sorted(cursor.fetchall(), key=repr)
    return found


@pytest.fixture
def reported(chat: Customer) -> Customer:
    """Two events in January, one in February; meters of several kinds."""
    for code, aggregation in (("peak", "max"), ("last", "latest"), ("level", "time_weighted_sum")):
        make_meter(code, value_property="input_tokens", aggregation=aggregation)
    make_meter("models", value_property="model", aggregation="unique_count")
    report(used("e1", 1), used("e2", 2), used("e3", 4, timestamp="2026-02-15T10:00:00Z"), now=NOW)
    return chat


def test_what_is_staged_does_not_count(reported: Customer) -> None:
    target = opened()
    before = everything_that_counts()
    with nothing_changes_in("globex", "public"):
        assert stage(target, used("b1", 8), used("b2", 16, customer="nobody")) == ["accepted", "quarantined"]
    assert everything_that_counts() == before
    target.refresh_from_db()
    assert target.staged_count == 2


def test_closed_it_counts(reported: Customer) -> None:
    target = opened()
    stage(target, used("b1", 8), used("b2", 16, timestamp="2026-01-15T10:30:00Z"))
    assert close(target) == {"accepted": 2}
    assert metered("input_tokens") == 31
    assert_totals_equal_what_counts()
    correction = UsageCorrection.objects.get()
    assert (correction.kind, correction.backfill_id, correction.reason) == (
        "backfill_closed", target.pk, "Lost by the proxy",
    )  # fmt: skip
    assert statuses(used("b1", 8), used("b1", 9)) == ["duplicate", "conflict"]


def statuses(*events: Any) -> list[str]:
    return [one.status for one in report(*events, now=NOW)]


def test_takes_events_of_any_age(reported: Customer) -> None:
    target = opened(starts_at=datetime(2003, 1, 1, tzinfo=UTC))
    assert stage(target, used("old", 8, timestamp="2003-05-05T05:00:00Z")) == ["accepted"]
    close(target)
    assert metered("input_tokens") == 15


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"timestamp": None}, "missing_timestamp"),
        ({"timestamp": "2025-12-31T23:59:59.999999Z"}, "outside_backfill"),
        ({"timestamp": "2026-02-01T00:00:00Z"}, "outside_backfill"),
        ({"event": "image.render"}, "outside_backfill"),
        ({"customer": "code"}, "outside_backfill"),
        ({"customer": "nobody"}, "outside_backfill"),
        ({"properties": {"input_tokens": "many"}}, "invalid_value"),
        ({"id": ""}, "invalid_id"),
    ],
)
def test_rejects_what_does_not_belong_to_it(reported: Customer, fields: dict, code: str) -> None:
    make_customer("code")
    target = opened(customer=reported, event_name="llm.call")
    assert codes(
        target,
        {**an_event("b1"), **fields} if fields.get("timestamp", "") is not None else an_event(**fields),
    ) == [code]
    assert not BackfillEvent.objects.exists()


def test_within_a_backfill_an_id_is_staged_once(reported: Customer) -> None:
    target = opened()
    assert stage(target, used("b1", 1), used("b1", 1), used("b1", 2)) == ["accepted", "duplicate", "conflict"]
    assert stage(target, used("b1", 2), used("b1", 1)) == ["conflict", "duplicate"]


def test_an_id_that_counts_already_stays_as_it_is(reported: Customer) -> None:
    target = opened()
    assert stage(target, used("e1", 1), used("e2", 9), used("b1", 8)) == ["accepted"] * 3
    assert close(target) == {"duplicate": 1, "conflict": 1, "accepted": 1}
    assert metered("input_tokens") == 15
    assert_totals_equal_what_counts()


def test_an_id_that_is_reported_while_the_backfill_is_open_wins(reported: Customer) -> None:
    """Staging reserves nothing: what counts live is not held up by what may be discarded."""
    target = opened()
    stage(target, used("b1", 8), used("b2", 8))
    assert statuses(used("b1", 8), used("b2", 9)) == ["accepted", "accepted"]
    assert close(target) == {"duplicate": 1, "conflict": 1}
    assert metered("input_tokens") == 24


def test_of_two_backfills_the_one_that_is_closed_first_wins(reported: Customer) -> None:
    first, second = opened(), opened()
    for target in (first, second):
        stage(target, used("b1", 8))
    assert close(second) == {"accepted": 1}
    assert close(first) == {"duplicate": 1}
    assert metered("input_tokens") == 15


def test_a_voided_id_counts_again(reported: Customer) -> None:
    void_event(event_id="e1", reason="Wrong", now=NOW)
    target = opened()
    stage(target, used("e1", 1))
    assert close(target) == {"accepted": 1}
    assert metered("input_tokens") == 7
    assert_totals_equal_what_counts()


def test_replaces_what_was_in_the_range(reported: Customer) -> None:
    target = opened("replace")
    stage(target, used("e1", 100), used("b1", 1000))
    assert close(target) == {"accepted": 2, "voided": 2}
    assert metered("input_tokens") == 1104
    assert metered("peak") == 1004  # 1000 in January, 4 in February
    assert_totals_equal_what_counts()
    assert statuses(used("e1", 1), used("e2", 2)) == ["duplicate", "duplicate"]


def test_what_is_sent_again_unchanged_is_left_alone(reported: Customer) -> None:
    target = opened("replace")
    stage(target, used("e1", 1), used("e2", 20))
    assert close(target) == {"accepted": 1, "duplicate": 1, "voided": 1}
    assert metered("input_tokens") == 25
    assert VoidedEvent.objects.count() == 1


def test_replaces_one_customer_and_event_alone(reported: Customer) -> None:
    other = make_customer("code")
    make_meter("renders", event_name="image.render", aggregation="count")
    report(used("c1", 8, customer="code"), an_event("i1", event="image.render"), now=NOW)
    target = opened("replace", customer=other)
    assert close(target) == {"voided": 1}
    assert (metered("input_tokens"), metered("renders")) == (7, 1)
    assert close(opened("replace", event_name="image.render")) == {"voided": 1}
    assert (metered("input_tokens"), metered("renders")) == (7, 0)
    assert_totals_equal_what_counts()


def test_an_id_outside_the_range_is_not_replaced(reported: Customer) -> None:
    target = opened("replace")
    stage(target, used("e3", 9))
    assert close(target) == {"conflict": 1, "voided": 2}
    assert metered("input_tokens") == 4


@pytest.mark.parametrize("mode", ["add", "replace"])
def test_reverted_everything_is_as_it_was(reported: Customer, mode: str) -> None:
    before = everything_that_counts()
    target = opened(mode)
    stage(target, used("e1", 100), used("b1", 1000), used("b2", 2000, timestamp="2026-01-20T10:00:00Z"))
    close(target)
    assert everything_that_counts() != before
    done = revert(target)
    assert everything_that_counts() == before
    assert (done.status, done.ended_at) == ("reverted", NOW)
    assert [one.kind for one in UsageCorrection.objects.order_by("pk")] == [
        "backfill_closed",
        "backfill_reverted",
    ]
    assert UsageCorrection.objects.get(kind="backfill_reverted").reason == "Wrong file"
    assert_totals_equal_what_counts()


def test_after_a_revert_the_ids_can_be_reported_by_another_backfill(reported: Customer) -> None:
    for tokens in (100, 200):
        target = opened("replace")
        stage(target, used("e1", tokens))
        close(target)
        assert metered("input_tokens") == tokens + 4
        if tokens == 100:
            revert(target)
    assert_totals_equal_what_counts()


def test_what_was_voided_since_stays_voided(reported: Customer) -> None:
    target = opened()
    stage(target, used("b1", 8), used("b2", 16))
    close(target)
    void_event(event_id="b1", reason="Wrong", now=NOW)
    revert(target)
    assert metered("input_tokens") == 7
    assert_totals_equal_what_counts()


def test_is_not_reverted_under_what_builds_on_it(reported: Customer) -> None:
    amended, replaced, taken = opened(), opened(), opened("replace")
    stage(amended, used("b1", 8))
    close(amended)
    amend_event(event_id="b1", changes={"properties": {"input_tokens": 9}}, reason="Wrong", now=NOW)
    stage(replaced, used("b2", 8))
    close(replaced)
    close(taken)
    later = opened()
    stage(later, used("e1", 5))
    close(later)
    for target in (amended, replaced, taken):
        with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
            revert(target)
        assert refused.value.code == "corrected_since"
    revert(later)
    revert(taken)
    revert(replaced)
    assert metered("input_tokens") == 16
    assert_totals_equal_what_counts()


def test_is_not_reverted_where_it_would_bring_back_what_was_voided_since(reported: Customer) -> None:
    target = opened("replace")
    stage(target, used("e1", 5), used("e2", 6))
    close(target)
    void_event(event_id="e1", reason="A test of theirs", now=NOW)
    with nothing_changes_in("acme"), pytest.raises(Refused, match="voided since: 'e1'") as refused:
        revert(target)
    assert refused.value.code == "corrected_since"


def test_is_not_reverted_where_another_backfill_s_event_was_voided_since(reported: Customer) -> None:
    first, second = opened("replace"), opened()
    close(first)
    stage(second, used("e1", 5))
    close(second)
    void_event(event_id="e1", reason="A test of theirs", now=NOW)
    with nothing_changes_in("acme"), pytest.raises(Refused, match="'e1'"):
        revert(first)
    revert(second)
    with nothing_changes_in("acme"), pytest.raises(Refused, match="'e1'"):
        revert(first)


def test_discarded_it_is_gone(reported: Customer) -> None:
    target = opened()
    stage(target, used("b1", 8))
    assert discard_backfill(backfill=target, now=NOW).status == "discarded"
    assert not BackfillEvent.objects.exists()
    for act in (close, discard, revert):
        with pytest.raises(Refused):
            act(target)


def discard(target: UsageBackfill) -> UsageBackfill:
    return discard_backfill(backfill=target, now=NOW)


def test_steps_come_in_their_order(reported: Customer) -> None:
    target = opened()
    with pytest.raises(Refused, match="is open"):
        revert(target)
    close(target)
    for act in (close, discard, lambda one: stage(one, used("b1", 1))):
        with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
            act(target)
        assert refused.value.code == "not_open"


def test_customers_who_are_missing_at_the_end_are_left_out(reported: Customer) -> None:
    target = opened()
    stage(target, used("b1", 8, customer="late"), used("b2", 16, customer="never"))
    make_customer("late")
    assert close(target) == {"accepted": 1, "quarantined": 1}
    left = BackfillEvent.objects.get(verdict="quarantined")
    assert (left.event_id, left.code) == ("b2", "unknown_customer")
    assert metered("input_tokens") == Decimal(15)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"ends_at": START}, "invalid_range"),
        ({"starts_at": datetime(1999, 1, 1, tzinfo=UTC)}, "invalid_range"),
        ({"reason": " "}, "reason_required"),
    ],
)
def test_needs_a_range_and_a_reason(chat: Customer, fields: dict, code: str) -> None:
    with pytest.raises(Invalid) as invalid:
        opened(**fields)
    assert invalid.value.code == code


def test_has_a_bounded_size(reported: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.usage.services.corrections.stage_events.MAX_STAGED", 1)
    target = opened()
    with pytest.raises(Refused) as refused:
        stage(target, used("b1", 1), used("b2", 2))
    assert refused.value.code == "too_many_events"
    assert backfill.MAX_STAGED == 200_000


def test_what_was_archived_is_not_corrected(reported: Customer) -> None:
    """Totals are all that is left of it: read anew, its hours would lose what was dropped."""
    target = opened()
    close(target)
    ArchivedPartition.objects.create(
        partition="usage_usageevent_202601", starts_at=START, ends_at=END, format="csv", file_name="january.csv",
        row_count=1, byte_size=1, sha256="0" * 64, archived_at=NOW,
    )  # fmt: skip
    for act in (
        opened,
        lambda: revert(target),
        lambda: void_event(event_id="e1", reason="Wrong", now=NOW),
        lambda: amend_event(event_id="e1", changes={"properties": {}}, reason="Wrong", now=NOW),
    ):
        with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "events_archived"
    opened(starts_at=END, ends_at=NOW)
    void_event(event_id="e3", reason="Wrong", now=NOW)
