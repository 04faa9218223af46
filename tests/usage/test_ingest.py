"""Ingestion: a verdict for each event, and nothing accepted is lost or counted twice."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage.models import DayPart, QuarantinedEvent, RollupHour, UniqueDay, UsageEvent
from apps.usage.selectors import quantities
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.totals import assert_rollups_equal_events, metered

COUNTERS = ("accepted", "duplicates", "conflicts", "quarantined", "rejected")


def counts(answer: dict) -> dict[str, int]:
    """The counters that are not zero."""
    return {name: answer[name] for name in COUNTERS if answer[name]}


def test_stores_an_event_as_it_was_reported_and_adds_it_up(chat: Customer, acme_api: Api) -> None:
    with nothing_changes_in("globex", "public"):
        answer = acme_api.report(an_event(), results="")
    assert answer == {
        "accepted": 1,
        "duplicates": 0,
        "conflicts": 0,
        "quarantined": 0,
        "rejected": 0,
        "results": [],
    }
    event = UsageEvent.objects.get()
    assert (event.event_id, event.source, event.event_name, event.customer_id) == (
        "e1",
        "",
        "llm.call",
        chat.pk,
    )
    assert event.timestamp.isoformat() == "2026-01-15T10:00:00+00:00"
    assert event.properties == {"input_tokens": 1000, "output_tokens": 100, "model": "gpt-5"}
    assert (metered("input_tokens"), metered("output_tokens")) == (Decimal(1000), Decimal(100))
    assert_rollups_equal_events()


def test_names_every_event_when_asked_to(chat: Customer, acme_api: Api) -> None:
    answer = acme_api.report(an_event("e1"), an_event("e1"), results="all")
    assert answer["results"] == [
        {"index": 0, "id": "e1", "status": "accepted"},
        {
            "index": 1,
            "id": "e1",
            "status": "duplicate",
            "code": "duplicate",
            "message": "This event is known already.",
        },
    ]


def test_a_malformed_event_does_not_sink_the_others(chat: Customer, acme_api: Api) -> None:
    events = [an_event(f"e{index}") for index in range(1000)]
    events[437]["timestamp"] = "yesterday"
    answer = acme_api.report(*events, results="")
    assert counts(answer) == {"accepted": 999, "rejected": 1}
    assert answer["results"] == [
        {
            "index": 437,
            "id": "e437",
            "status": "rejected",
            "code": "invalid_timestamp",
            "param": "/events/437/timestamp",
            "message": "timestamp is RFC 3339 with an offset, like 2026-11-20T10:00:00.5Z.",
        }
    ]
    assert UsageEvent.objects.count() == 999
    assert metered("input_tokens") == Decimal(999_000)
    assert_rollups_equal_events()


def test_each_kind_of_verdict_stands_at_its_index(chat: Customer, acme_api: Api) -> None:
    answer = acme_api.report(
        an_event("a"),
        an_event("a"),
        an_event("a", properties={"input_tokens": 2}),
        an_event("q", customer="nobody"),
        an_event("m", event="image.render"),
        an_event("v", properties={"model": "gpt-5"}),
        an_event("r", properties={"input_tokens": "many"}),
        5,
    )
    assert [(one["status"], one.get("code", ""), one.get("param", "")) for one in answer["results"]] == [
        ("accepted", "", ""),
        ("duplicate", "duplicate", ""),
        ("conflict", "id_conflict", "/events/2/id"),
        ("quarantined", "unknown_customer", "/events/3/customer"),
        ("quarantined", "unknown_meter", "/events/4/event"),
        ("quarantined", "missing_value", "/events/5/properties"),
        ("rejected", "invalid_value", "/events/6/properties/input_tokens"),
        ("rejected", "invalid_event", "/events/7"),
    ]
    assert [one["index"] for one in answer["results"]] == list(range(8))
    assert counts(answer) == {"accepted": 1, "duplicates": 1, "conflicts": 1, "quarantined": 3, "rejected": 2}
    assert sum(answer[name] for name in COUNTERS) == 8


def test_a_batch_sent_again_changes_nothing(chat: Customer, acme_api: Api) -> None:
    batch = [an_event(f"e{index}") for index in range(10)]
    acme_api.report(*batch)
    with nothing_changes_in("acme", "globex"):
        answer = acme_api.report(*reversed(batch))
    assert counts(answer) == {"duplicates": 10}


def test_the_first_of_two_contents_stays(chat: Customer, acme_api: Api) -> None:
    acme_api.report(an_event("e1", properties={"input_tokens": 7}))
    with nothing_changes_in("acme"):
        answer = acme_api.report(an_event("e1", properties={"input_tokens": 8}))
    assert counts(answer) == {"conflicts": 1}
    assert metered("input_tokens") == Decimal(7)


@pytest.mark.parametrize(
    "change",
    [
        {"timestamp": "2026-01-15T10:00:00.000001Z"},
        {"timestamp": None},
        {"customer": "code"},
        {"event": "llm.call2"},
        {"properties": {"input_tokens": 1000, "output_tokens": 100, "model": "gpt-5", "extra": None}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_the_content_tells_a_conflict(chat: Customer, acme_api: Api, change: dict) -> None:
    acme_api.report(an_event())
    assert counts(acme_api.report(an_event(**change))) == {"conflicts": 1}


def test_the_same_content_written_differently_is_a_duplicate(chat: Customer, acme_api: Api) -> None:
    acme_api.report(an_event())
    answer = acme_api.post(
        "/events?results=all",
        b'{"events": [{"properties": {"model": "gpt-\\u0035", "output_tokens": 100, "input_tokens": 1000},'
        b' "timestamp": "2026-01-15T11:00:00.000+01:00", "customer": "chat", "event": "llm.call", "id": "e1"}]}',
    ).json()
    assert counts(answer) == {"duplicates": 1}


def test_which_decoder_read_the_batch_does_not_matter(chat: Customer, acme_api: Api) -> None:
    """An unpaired surrogate elsewhere in the batch hands the whole batch to another decoder."""
    event = (
        b'{"id": "e1", "event": "llm.call", "customer": "chat", "timestamp": "2026-01-15T10:00:00Z",'
        b' "properties": {"input_tokens": 12, "a": 1.50, "b": 1e2, "c": -0, "d": 123456789012345678901234567890,'
        b' "e": -0.0, "f": 9007199254740993}}'
    )
    odd = b'{"id": "\\ud800"}'
    first = acme_api.post("/events?results=all", b'{"events": [' + event + b"]}").json()
    assert counts(first) == {"accepted": 1}
    second = acme_api.post("/events?results=all", b'{"events": [' + event + b", " + odd + b"]}").json()
    assert counts(second) == {"duplicates": 1, "rejected": 1}


def test_a_retry_without_a_timestamp_is_a_duplicate(chat: Customer, acme_api: Api) -> None:
    first = acme_api.report(an_event(timestamp=None))
    at = UsageEvent.objects.get().timestamp
    second = acme_api.report(an_event(timestamp=None))
    assert (counts(first), counts(second)) == ({"accepted": 1}, {"duplicates": 1})
    assert UsageEvent.objects.get().timestamp == at


def test_ids_are_unique_within_their_source(chat: Customer, acme_api: Api) -> None:
    answer = acme_api.report(
        an_event("e1"),
        an_event("e1", source="gateway-a"),
        an_event("e1", source="gateway-b"),
        an_event("e1", source="gateway-a"),
        an_event("e1", source=""),
    )
    assert [one["status"] for one in answer["results"]] == [
        "accepted", "accepted", "accepted", "duplicate", "duplicate",
    ]  # fmt: skip
    assert metered("input_tokens") == Decimal(3000)


def test_a_source_can_not_be_forged_by_an_id(chat: Customer, acme_api: Api) -> None:
    answer = acme_api.report(an_event("b", source="a"), an_event("ab"), an_event("a b"))
    assert counts(answer) == {"accepted": 3}


def test_the_other_tenant_has_ids_of_its_own(chat: Customer, acme_api: Api, globex_api: Api) -> None:
    acme_api.report(an_event())
    with nothing_changes_in("acme"):
        answer = globex_api.report(an_event())
    assert counts(answer) == {"quarantined": 1}


def test_one_event_feeds_every_meter_of_its_name(chat: Customer, acme_api: Api) -> None:
    make_meter("calls", aggregation="count", unit="call")
    acme_api.report(an_event("e1"), an_event("e2", properties={"input_tokens": 5}))
    assert [metered(code) for code in ("input_tokens", "output_tokens", "calls")] == [1005, 100, 2]
    assert_rollups_equal_events()


def test_a_customer_may_be_named_by_either_id(chat: Customer, acme_api: Api) -> None:
    acme_api.report(an_event("e1", customer="chat"), an_event("e2", customer=chat.public_id))
    assert set(UsageEvent.objects.values_list("customer_id", flat=True)) == {chat.pk}


def test_usage_is_kept_apart_by_dimension(in_acme, chat: Customer) -> None:
    make_meter("images", event_name="image", value_property="n", dimensions=["size", "hd"])
    report(
        an_event("a", event="image", properties={"n": 1, "size": "s", "hd": True}),
        an_event("b", event="image", properties={"n": 2, "size": "s", "hd": True}),
        an_event("c", event="image", properties={"n": 4, "size": "s"}),
        an_event("d", event="image", properties={"n": 8, "size": ["l"], "hd": 2.50}),
    )
    rows = RollupHour.objects.values_list("dimension_set_id", "quantity", "event_count")
    assert sorted((quantity, count) for _, quantity, count in rows) == [(3, 2), (4, 1), (8, 1)]
    assert DayPart.objects.count() == 3


def test_the_number_of_queries_does_not_depend_on_the_number_of_events(
    chat: Customer, django_assert_num_queries
) -> None:
    def batch(size: int, prefix: str) -> list[dict]:
        return [
            an_event(f"{prefix}{index}", customer="chat" if index % 2 else "nobody") for index in range(size)
        ]

    report(*batch(2, "warm"))  # dimension sets exist from here on
    with django_assert_num_queries(17) as few:
        report(*batch(2, "few"))
    with django_assert_num_queries(len(few)):
        report(*batch(1000, "many"))
    assert UsageEvent.objects.count() == 502
    assert QuarantinedEvent.objects.count() == 502


def test_a_unique_count_tells_texts_and_numbers_apart_by_their_text(
    fresh_database: str, in_acme: Tenant
) -> None:
    """Outside of a transaction, where what the first batch looked like is remembered."""
    make_customer()
    make_meter("users", event_name="visit", aggregation="unique_count", value_property="user")
    long_ones = ["x" * 255, "x" * 255 + "y", "x" * 255 + "z", "é" * 300]
    users = ["a", "b", 5, "5", *long_ones, True, "a", Decimal("0.50"), "0.50"]
    for number, user in enumerate([*users, *reversed(users)]):
        verdicts = report(an_event(f"v{number}", event="visit", properties={"user": user}))
        assert [one.status for one in verdicts] == ["accepted"]
    assert len(set(UniqueDay.objects.values_list("value_hash"))) == 5 + len(long_ones)
    assert_rollups_equal_events()
    # By the events themselves as by the totals.
    customer, meter = Customer.objects.get(), Meter.objects.get()
    at = datetime(2026, 1, 15, 10, tzinfo=UTC)
    for start in (at, at - timedelta(microseconds=1)):
        for end in (at + timedelta(hours=1), at + timedelta(microseconds=1)):
            used = quantities(customer_id=customer.pk, meter_ids=[meter.pk], start=start, end=end)
            assert used[meter.pk].quantity == 5 + len(long_ones)


@pytest.mark.parametrize("user", [{}, [], {"id": "u1"}, ["u1"]])
def test_a_structure_is_no_value_that_could_be_counted(chat: Customer, acme_api: Api, user: Any) -> None:
    make_meter("users", event_name="visit", aggregation="unique_count", value_property="user")
    answer = acme_api.report(
        an_event("odd", event="visit", properties={"user": user}),
        an_event("good", event="visit", properties={"user": "u1"}),
    )
    assert (answer["accepted"], answer["rejected"]) == (1, 1)
    [result] = [one for one in answer["results"] if one["id"] == "odd"]
    assert (result["code"], result["param"]) == ("invalid_value", "/events/0/properties/user")
    assert "user" in result["message"]
