"""Corrections at once: of two that contradict each other exactly one wins, and ingestion goes on beside them."""

from collections import Counter
from datetime import UTC, datetime
from functools import partial

import pytest

from apps.core.errors import Refused
from apps.tenants.models import Tenant
from apps.usage.models import EventRevision, QuarantinedEvent, UsageCorrection
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.void_event import void_event
from apps.usage.services.replay_quarantine import replay_quarantine
from tests.concurrency.together import returned, together
from tests.harness.factories import an_event, make_customer, make_meter, make_plan, report
from tests.usage.counting import assert_totals_equal_what_counts
from tests.usage.totals import metered

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
REASON = "Sent by mistake"


@pytest.fixture
def customers(fresh_database: str, in_acme: Tenant) -> None:
    make_customer("chat")
    make_customer("code")
    make_plan()
    make_meter("peak", value_property="input_tokens", aggregation="max")


def events(start: int, count: int) -> list[dict]:
    return [
        an_event(f"e{number}", properties={"input_tokens": number}) for number in range(start, start + count)
    ]


def try_void(event_id: str) -> str:
    try:
        void_event(event_id=event_id, reason=REASON, now=NOW)
    except Refused as refused:
        return refused.code
    return "voided"


def try_amend(event_id: str, tokens: int) -> str:
    try:
        amend_event(
            event_id=event_id, changes={"properties": {"input_tokens": tokens}}, reason=REASON, now=NOW
        )
    except Refused as refused:
        return refused.code
    return "amended"


def test_one_of_many_voids_wins(customers: None, acme: Tenant) -> None:
    report(*events(1, 2), now=NOW)
    found = Counter(returned(together(acme, [partial(try_void, "e1")] * 6)))
    assert found == {"voided": 1, "already_voided": 5}
    assert UsageCorrection.objects.count() == 1
    assert metered("input_tokens") == 2
    assert_totals_equal_what_counts()


def test_amendments_follow_one_another(customers: None, acme: Tenant) -> None:
    report(*events(1, 2), now=NOW)
    calls = [partial(try_amend, "e1", 100 + number) for number in range(6)]
    assert set(returned(together(acme, calls))) == {"amended"}
    assert [one.revision for one in EventRevision.objects.order_by("revision")] == [1, 2, 3, 4, 5, 6]
    assert metered("input_tokens") - 2 in range(100, 106)
    assert_totals_equal_what_counts()


def test_the_same_amendment_at_once_is_made_once(customers: None, acme: Tenant) -> None:
    report(*events(1, 2), now=NOW)
    found = Counter(returned(together(acme, [partial(try_amend, "e1", 7)] * 6)))
    assert found == {"amended": 1, "nothing_changes": 5}
    assert metered("input_tokens") == 9


def test_a_void_meets_the_replay_of_its_event(customers: None, acme: Tenant) -> None:
    report(an_event("w", customer="late", properties={"input_tokens": 5}), now=NOW)
    make_customer("late")
    replay = partial(replay_quarantine, events=QuarantinedEvent.objects.all(), now=NOW)
    voided, *_ = returned(
        together(acme, [partial(try_void, "w"), lambda: str(replay()), lambda: str(replay())])
    )
    assert voided in ("voided", "event_not_found")
    assert metered("input_tokens") == (0 if voided == "voided" else 5)
    assert_totals_equal_what_counts()


def test_ingestion_goes_on_while_events_of_the_same_hour_are_corrected(customers: None, acme: Tenant) -> None:
    report(*events(0, 60), now=NOW)

    def write(writer: int) -> str:
        for start in range(1000 * writer, 1000 * writer + 200, 20):
            report(*events(start, 20), now=NOW)
        return "written"

    def correct(first: int) -> str:
        found = [try_void(f"e{number}") for number in range(first, first + 10)]
        found += [try_amend(f"e{number}", 10_000 + number) for number in range(first + 10, first + 20)]
        assert set(found) == {"voided", "amended"}
        return "corrected"

    calls = [partial(write, 1), partial(write, 2), partial(correct, 0), partial(correct, 20)]
    returned(together(acme, calls))
    assert_totals_equal_what_counts()
    expected = sum(range(40, 60)) + sum(range(1000, 1200)) + sum(range(2000, 2200))
    expected += sum(range(10_010, 10_020)) + sum(range(10_030, 10_040))
    assert metered("input_tokens") == expected
