"""Void and amend: what counts changes at once and exactly, what was reported stays, and every step is a fact."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection

from apps.audit.models import AuditEntry
from apps.catalog.models import Meter
from apps.core.errors import Invalid, Missing, Refused
from apps.customers.models import Customer
from apps.usage import selectors
from apps.usage.models import EventRevision, UsageCorrection, UsageEvent, VoidedEvent
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.void_event import void_event, void_events
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.counting import assert_totals_equal_what_counts
from tests.usage.totals import metered

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
ELEVEN = datetime(2026, 1, 15, 11, tzinfo=UTC)


def void(event_id: str = "e1", **fields: Any) -> UsageCorrection:
    return void_event(event_id=event_id, reason="Sent by mistake", now=NOW, **fields)


def amend(event_id: str = "e1", **changes: Any) -> UsageCorrection:
    return amend_event(event_id=event_id, changes=changes, reason="Wrong number", now=NOW)


def statuses(*events: dict) -> list[str]:
    return [verdict.status for verdict in report(*events, now=NOW)]


@pytest.fixture
def reported(chat: Customer) -> None:
    """Two events in one hour, one in another day."""
    report(an_event("e1"), an_event("e2"), an_event("e3", timestamp="2026-01-16T10:00:00Z"), now=NOW)


def test_a_voided_event_stays_and_counts_no_more(reported: None) -> None:
    with nothing_changes_in("globex", "public"):
        correction = void()
    assert UsageEvent.objects.filter(event_id="e1").exists()
    assert metered("input_tokens") == 2000
    assert_totals_equal_what_counts()
    assert (correction.kind, correction.event_id, correction.reason) == ("void", "e1", "Sent by mistake")
    assert (correction.created_at, correction.timestamp) == (NOW, datetime(2026, 1, 15, 10, tzinfo=UTC))
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.reason) == ("usage_event.voided", "Sent by mistake")


def test_a_total_of_nothing_is_gone(reported: None) -> None:
    void("e3")
    assert_totals_equal_what_counts()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM usage_daypart WHERE event_count = 0")
        assert cursor.fetchone() == (0,)


def test_periods_and_ragged_edges_follow(reported: None, chat: Customer) -> None:
    void()
    for start, end in (
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 1, 15, 9, 59, 59, tzinfo=UTC), datetime(2026, 1, 15, 10, 30, tzinfo=UTC)),
    ):
        assert set(used(chat, start, end).values()) == ({2000, 200} if start.day == 1 else {1000, 100})


def used(customer: Customer, start: datetime, end: datetime) -> dict[int, Decimal]:
    ids = Meter.objects.values_list("pk", flat=True)
    found = selectors.quantities(customer_id=customer.pk, meter_ids=ids, start=start, end=end)
    return {pk: one.quantity for pk, one in found.items()}


def test_voiding_twice_is_refused(reported: None) -> None:
    void()
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        void()
    assert refused.value.code == "already_voided"


@pytest.mark.parametrize(("event_id", "source"), [("e9", ""), ("e1", "other"), ("waiting", "")])
def test_what_was_never_accepted_is_not_found(reported: None, event_id: str, source: str) -> None:
    report(an_event("waiting", customer="nobody"), now=NOW)
    with nothing_changes_in("acme"), pytest.raises(Missing) as missing:
        void(event_id, source=source)
    assert missing.value.code == "event_not_found"


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reason_is_asked_for(reported: None, reason: str) -> None:
    with nothing_changes_in("acme"), pytest.raises(Invalid) as invalid:
        void_event(event_id="e1", reason=reason, now=NOW)
    assert invalid.value.code == "reason_required"


def test_a_voided_event_that_is_sent_again_does_not_come_back(reported: None) -> None:
    void()
    other = an_event("e1", properties={"input_tokens": 5})
    assert statuses(an_event("e1"), other) == ["duplicate", "conflict"]
    assert metered("input_tokens") == 2000


def test_many_are_voided_each_with_its_verdict(reported: None) -> None:
    found = void_events(
        identities=[("e1", ""), ("e9", ""), ("e1", ""), ("e3", "")], reason="Test data", now=NOW
    )
    assert [(one.id, one.status, one.code) for one in found] == [
        ("e1", "voided", ""), ("e9", "refused", "event_not_found"), ("e1", "refused", "already_voided"),
        ("e3", "voided", ""),
    ]  # fmt: skip
    assert metered("input_tokens") == 1000
    assert_totals_equal_what_counts()


def test_an_amended_event_counts_with_what_it_should_have_been(reported: None) -> None:
    correction = amend(properties={"input_tokens": "7.5", "model": "gpt-5"})
    assert metered("input_tokens") == Decimal("2007.5")
    assert metered("output_tokens") == 200
    assert_totals_equal_what_counts()
    event = selectors.event_by_identity(event_id="e1")
    assert event.properties == {"input_tokens": "7.5", "model": "gpt-5"}
    assert correction.changes == {
        "revision": 1,
        "properties": [
            {"input_tokens": 1000, "model": "gpt-5", "output_tokens": 100},
            {"input_tokens": "7.5", "model": "gpt-5"},
        ],
    }


def test_one_with_the_same_shape_customer_and_time_is_told_from_its_original(reported: None) -> None:
    """Only a number changes: the two rows differ in nothing else that finds an event."""
    amend(properties={"input_tokens": 1, "output_tokens": 100, "model": "gpt-5"})
    assert metered("input_tokens") == 2001
    assert_totals_equal_what_counts()


def test_amends_customer_and_time(reported: None) -> None:
    code = make_customer("code")
    amend(customer="code", timestamp=ELEVEN)
    event = selectors.event_by_identity(event_id="e1")
    assert (event.customer_id, event.timestamp) == (code.pk, ELEVEN)
    assert_totals_equal_what_counts()


def test_a_chain_of_amendments_ends_in_the_last(reported: None) -> None:
    for tokens in (1, 2, 3):
        amend(properties={"input_tokens": tokens})
    assert metered("input_tokens") == 2003
    assert [one.revision for one in EventRevision.objects.order_by("revision")] == [1, 2, 3]
    assert [one.changes["revision"] for one in UsageCorrection.objects.order_by("pk")] == [1, 2, 3]
    void()
    assert metered("input_tokens") == 2000
    assert VoidedEvent.objects.count() == 4
    assert selectors.event_by_identity(event_id="e1").properties == {"input_tokens": 3}
    with pytest.raises(Refused):
        amend(properties={"input_tokens": 4})
    assert_totals_equal_what_counts()


def test_the_original_sent_again_stays_a_duplicate(reported: None) -> None:
    amend(properties={"input_tokens": 1})
    assert statuses(an_event("e1"), an_event("e1", properties={"input_tokens": 1})) == [
        "duplicate",
        "conflict",
    ]


def test_is_measured_by_today_s_meters(reported: None) -> None:
    make_meter("calls", aggregation="count")
    amend(properties={"input_tokens": 1})
    assert metered("calls") == 1
    assert_totals_equal_what_counts()


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({}, "nothing_changes", ""),
        (
            {"properties": {"input_tokens": 1000, "output_tokens": 100, "model": "gpt-5"}},
            "nothing_changes",
            "",
        ),
        ({"customer": "nobody"}, "customer_not_found", "/customer"),
        ({"properties": {"model": "gpt-5"}}, "not_countable", "/properties"),
        ({"properties": {"input_tokens": "many"}}, "invalid_value", "/properties/input_tokens"),
        ({"timestamp": datetime(2026, 1, 20, 13, tzinfo=UTC)}, "timestamp_in_future", "/timestamp"),
    ],
)
def test_refuses_what_could_not_count(reported: None, changes: dict, code: str, param: str) -> None:
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        amend(**changes)
    assert (refused.value.code, refused.value.param) == (code, param)


@pytest.mark.parametrize("table", ["usage_usagecorrection", "usage_eventrevision"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_corrections_are_facts(reported: None, table: str, statement: str) -> None:
    amend(properties={"input_tokens": 1})
    with connection.cursor() as cursor, pytest.raises(IntegrityError, match="its rows are facts"):
        cursor.execute(statement.format(table))
