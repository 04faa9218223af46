"""Corrections over the API: verdicts, problems, idempotency, and a backfill from opening to its revert."""

from typing import Any

import pytest

from apps.customers.models import Customer
from apps.usage.models import MeterBackfill, UsageCorrection
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_meter, report
from tests.usage.counting import assert_totals_equal_what_counts
from tests.usage.totals import metered

RANGE = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z", "reason": "Lost by the proxy"}


@pytest.fixture
def reported(chat: Customer) -> Customer:
    report(an_event("e1"), an_event("a/b", source="eu"))
    return chat


def used(event_id: str, tokens: int) -> dict[str, Any]:
    return an_event(event_id, properties={"input_tokens": tokens})


def test_voids_with_a_verdict_for_each(reported: Customer, acme_api: Api) -> None:
    wanted = [{"id": "e1"}, {"id": "a/b"}, {"id": "a/b", "source": "eu"}]
    with nothing_changes_in("globex"):
        response = acme_api.post("/corrections/void", {"events": wanted, "reason": "Test data"})
    assert response.status_code == 200
    body = response.json()
    assert (body["voided"], body["refused"]) == (2, 1)
    assert [(one["status"], one["code"]) for one in body["results"]] == [
        ("voided", ""), ("refused", "event_not_found"), ("voided", ""),
    ]  # fmt: skip
    assert metered("input_tokens") == 0
    listed = acme_api.get("/corrections", {"event_id": "e1"}).json()["data"]
    assert [(one["kind"], one["reason"], one["actor_kind"]) for one in listed] == [
        ("void", "Test data", "api_key")
    ]
    assert listed[0]["id"] == body["results"][0]["correction"]


def test_a_void_that_is_sent_twice_with_a_key_answers_the_same(reported: Customer, acme_api: Api) -> None:
    body = {"events": [{"id": "e1"}], "reason": "Test data"}
    answers = [acme_api.post("/corrections/void", body, idempotency_key="a").json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert UsageCorrection.objects.count() == 1


def test_amends_what_is_given(reported: Customer, acme_api: Api) -> None:
    body = {"id": "e1", "properties": {"input_tokens": 1.5, "note": None}, "reason": "Wrong number"}
    response = acme_api.post("/corrections/amend", body)
    assert response.status_code == 201, response.content
    assert response.json()["changes"]["revision"] == 1
    event = acme_api.get("/events/e1").json()
    assert event["properties"] == {"input_tokens": 1.5, "note": None}
    assert event["timestamp"] == "2026-01-15T10:00:00Z"
    assert_totals_equal_what_counts()


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        ({"id": "e9", "properties": {}}, 404, ("event_not_found", "/id")),
        ({"customer": "nobody"}, 404, ("customer_not_found", "/customer")),
        ({}, 409, ("nothing_changes", None)),
        ({"properties": {"input_tokens": -1}}, 400, ("negative_value", "/properties/input_tokens")),
        ({"timestamp": "2100-01-01T00:00:00Z"}, 400, ("timestamp_in_future", "/timestamp")),
        ({"properties": {"model": "x"}}, 409, ("not_countable", "/properties")),
        ({"reason": " "}, 400, ("blank", "/reason")),
        ({"time": "x"}, 400, ("unknown_field", "/time")),
    ],
)
def test_says_what_can_not_be_amended(
    reported: Customer, acme_api: Api, body: dict, status: int, expected: tuple
) -> None:
    with nothing_changes_in("acme"):
        response = acme_api.post("/corrections/amend", {"id": "e1", "reason": "Wrong", **body})
    problem = response.json()
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json")
    found = problem["errors"][0] if problem.get("errors") else problem
    assert (found["code"], found.get("param")) == expected


def test_a_backfill_from_opening_to_its_revert(reported: Customer, acme_api: Api) -> None:
    opened = acme_api.post("/backfills", {**RANGE, "mode": "replace", "customer": "chat"})
    assert opened.status_code == 201, opened.content
    path = f"/backfills/{opened.json()['id']}"
    assert (opened.json()["status"], opened.json()["outcome"]) == ("open", None)
    sent = acme_api.post(f"{path}/events", {"events": [used("e1", 1), used("b1", 2), used("b1", 3)]}).json()
    assert (sent["accepted"], sent["conflicts"]) == (2, 1)
    with nothing_changes_in("acme"):
        preview = acme_api.get(f"{path}/preview").json()
    assert preview["outcome"] | {"voided": 2, "accepted": 2} == preview["outcome"]
    assert {(one["meter"], one["before"], one["after"]) for one in preview["usage"]} == {
        ("input_tokens", "2000", "3"), ("output_tokens", "200", "0"),
    }  # fmt: skip
    closed = acme_api.post(f"{path}/close", idempotency_key="c").json()
    assert (closed["status"], closed["outcome"]["accepted"], closed["outcome"]["voided"]) == ("closed", 2, 2)
    assert acme_api.post(f"{path}/close", idempotency_key="c").json() == closed
    assert metered("input_tokens") == 3
    assert acme_api.post(f"{path}/close").json()["code"] == "not_open"
    reverted = acme_api.post(f"{path}/revert", {"reason": "Wrong file"}).json()
    assert reverted["status"] == "reverted"
    assert metered("input_tokens") == 2000
    assert acme_api.get(path).json() == reverted
    assert [one["kind"] for one in acme_api.get("/corrections").json()["data"]] == [
        "backfill_reverted", "backfill_closed",
    ]  # fmt: skip
    assert_totals_equal_what_counts()


def test_discards_a_backfill(reported: Customer, acme_api: Api) -> None:
    path = f"/backfills/{acme_api.post('/backfills', RANGE).json()['id']}"
    acme_api.post(f"{path}/events", {"events": [used("b1", 2)]})
    assert acme_api.post(f"{path}/discard").json()["status"] == "discarded"
    assert acme_api.post(f"{path}/events", {"events": [used("b1", 2)]}).json()["code"] == "not_open"
    assert acme_api.get("/backfills", {"status": "open"}).json()["data"] == []


def test_a_meter_is_asked_to_read_the_past(reported: Customer, acme_api: Api) -> None:
    make_meter("calls", aggregation="count")
    response = acme_api.post("/meters/calls/backfills", {"reason": "New price"})
    assert response.status_code == 202, response.content
    assert (response.json()["status"], response.json()["percent"]) == ("queued", 0)
    assert acme_api.post("/meters/calls/backfills", {}).json()["code"] == "backfill_unfinished"
    assert [one["meter"] for one in acme_api.get("/meters/calls/backfills").json()["data"]] == ["calls"]
    assert MeterBackfill.objects.get().reason == "New price"
