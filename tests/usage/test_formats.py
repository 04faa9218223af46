"""The formats of POST /events: the same event, however it is written down, is the same event."""

import gzip
import json
from typing import Any

import pytest

from apps.customers.models import Customer
from apps.usage.models import UsageEvent
from tests.harness.clients import Api
from tests.harness.factories import an_event
from tests.usage.totals import assert_rollups_equal_events, metered

ONE_CLOUD = "application/cloudevents+json"
MANY_CLOUD = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"


def a_cloudevent(event_id: str = "e1", **attributes: Any) -> dict[str, Any]:
    """What `an_event` is, as a CloudEvent from /gateway. None leaves an attribute out."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "/gateway",
        "type": "llm.call",
        "subject": "chat",
        "time": "2026-01-15T10:00:00Z",
        "data": {"input_tokens": 1000, "output_tokens": 100, "model": "gpt-5"},
    }
    return {name: value for name, value in {**event, **attributes}.items() if value is not None}


def post(api: Api, body: Any, content_type: str, **headers: str) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = api.client.post(
        "/api/v1/events?results=all",
        raw,
        content_type=content_type,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def refusal(api: Api, body: bytes, content_type: str) -> tuple[int, str]:
    response = api.client.post("/api/v1/events", body, content_type=content_type)
    assert not UsageEvent.objects.exists()
    return response.status_code, response.json()["code"]


def told(answer: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (one["index"], one["id"], one["status"], one.get("code", ""), one.get("param", ""))
        for one in answer["results"]
    ]


def test_all_formats_say_the_same(chat: Customer, acme_api: Api) -> None:
    native = an_event(source="/gateway")
    lines = json.dumps(native).encode()
    headers = {
        "ce_specversion": "1.0", "ce_id": "e1", "ce_source": "/gateway", "ce_type": "llm.call", "ce_subject": "chat",
        "ce_time": "2026-01-15T10:00:00Z",
    }  # fmt: skip
    answers = [
        post(acme_api, {"events": [native]}, "application/json"),
        post(acme_api, native, "application/json"),
        post(acme_api, lines, NDJSON),
        post(acme_api, a_cloudevent(), ONE_CLOUD),
        post(acme_api, [a_cloudevent()], MANY_CLOUD),
        post(acme_api, native["properties"], "application/json", **headers),
        post(acme_api, gzip.compress(lines), f"{NDJSON}; charset=utf-8", content_encoding="gzip"),
    ]
    assert [answer["accepted"] for answer in answers] == [1, 0, 0, 0, 0, 0, 0]
    assert [answer["duplicates"] for answer in answers] == [0, 1, 1, 1, 1, 1, 1]
    assert metered("input_tokens") == 1000


def test_one_event_alone_is_a_batch_of_one(chat: Customer, acme_api: Api) -> None:
    assert told(post(acme_api, an_event(), "application/json")) == [(0, "e1", "accepted", "", "")]
    wrong = post(acme_api, an_event("e2", customer=5), "application/json")
    assert told(wrong) == [(0, "e2", "rejected", "invalid_customer", "/events/0/customer")]


@pytest.mark.parametrize(
    "body", [{"id": "a"}, {"event": "llm.call"}, {"id": "a", "event": "b", "events": None}]
)
def test_what_looks_like_neither_is_refused(chat: Customer, acme_api: Api, body: dict[str, Any]) -> None:
    assert refusal(acme_api, json.dumps(body).encode(), "application/json") == (400, "invalid_body")


def test_a_broken_line_is_one_wrong_event(chat: Customer, acme_api: Api) -> None:
    lines = [
        json.dumps(an_event("a")),
        "",
        "{broken",
        json.dumps(an_event("b", customer="nobody")),
        "   ",
        "5",
        '{"id": "\xff',
        json.dumps(an_event("c", more=1)),
        json.dumps(an_event("d")) + "\r",
    ]
    answer = post(acme_api, "\n".join(lines).encode("latin-1"), NDJSON)
    assert told(answer) == [
        (0, "a", "accepted", "", ""),
        (1, None, "rejected", "invalid_json", "/events/1"),
        (2, "b", "quarantined", "unknown_customer", "/events/2/customer"),
        (3, None, "rejected", "invalid_event", "/events/3"),
        (4, None, "rejected", "invalid_json", "/events/4"),
        (5, "c", "rejected", "unknown_field", "/events/5/more"),
        (6, "d", "accepted", "", ""),
    ]
    assert (answer["accepted"], answer["quarantined"], answer["rejected"]) == (2, 1, 4)
    assert_rollups_equal_events()


def test_nothing_but_broken_lines_is_still_answered(chat: Customer, acme_api: Api) -> None:
    assert told(post(acme_api, b"{\n}", NDJSON)) == [
        (0, None, "rejected", "invalid_json", "/events/0"),
        (1, None, "rejected", "invalid_json", "/events/1"),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "invalid_body")),
        (b"\n\n", (400, "invalid_body")),
        (b"0\n" * 1001, (413, "too_many_events")),
        (b"{\n" * 1001, (413, "too_many_events")),
    ],
)
def test_lines_have_the_limits_of_batches(
    chat: Customer, acme_api: Api, body: bytes, expected: tuple[int, str]
) -> None:
    assert refusal(acme_api, body, NDJSON) == expected


def test_pointers_name_the_attributes_of_a_cloudevent(chat: Customer, acme_api: Api) -> None:
    events = [
        a_cloudevent("a"),
        a_cloudevent("a", data={"input_tokens": 5}),
        a_cloudevent("b", subject="nobody"),
        a_cloudevent("c", subject=None),
        a_cloudevent("d", type=5),
        a_cloudevent("e", time="yesterday"),
        a_cloudevent("f", data={"input_tokens": "many"}),
        a_cloudevent("g", specversion="0.3"),
        a_cloudevent("h", specversion=None),
        a_cloudevent("i", source=None),
        a_cloudevent("j", data=[1]),
        a_cloudevent("k", data=None, data_base64="AAAA"),
        a_cloudevent("l", datacontenttype="text/xml"),
        a_cloudevent("m", datacontenttype="application/vnd.usage+json; charset=utf-8", data=None),
        5,
        a_cloudevent(5),
    ]
    assert told(post(acme_api, events, MANY_CLOUD)) == [
        (0, "a", "accepted", "", ""),
        (1, "a", "conflict", "id_conflict", "/1/id"),
        (2, "b", "quarantined", "unknown_customer", "/2/subject"),
        (3, "c", "rejected", "missing_customer", "/3/subject"),
        (4, "d", "rejected", "invalid_event", "/4/type"),
        (5, "e", "rejected", "invalid_timestamp", "/5/time"),
        (6, "f", "rejected", "invalid_value", "/6/data/input_tokens"),
        (7, "g", "rejected", "unsupported_specversion", "/7/specversion"),
        (8, "h", "rejected", "unsupported_specversion", "/8/specversion"),
        (9, "i", "rejected", "missing_source", "/9/source"),
        (10, "j", "rejected", "invalid_data", "/10/data"),
        (11, "k", "rejected", "data_base64_not_supported", "/11/data_base64"),
        (12, "l", "rejected", "unsupported_datacontenttype", "/12/datacontenttype"),
        (13, "m", "quarantined", "missing_value", "/13/data"),
        (14, None, "rejected", "invalid_event", "/14"),
        (15, None, "rejected", "invalid_id", "/15/id"),
    ]
    alone = post(acme_api, a_cloudevent("n", subject=""), ONE_CLOUD)
    assert told(alone) == [(0, "n", "rejected", "invalid_customer", "/subject")]


def test_extension_attributes_make_no_difference(chat: Customer, acme_api: Api) -> None:
    """Tracing writes them anew for each attempt; a retry must not contradict what it repeats."""
    first = a_cloudevent(traceparent="00-1-1-01", dataschema="https://example.com/schema", region="eu")
    assert post(acme_api, first, ONE_CLOUD)["accepted"] == 1
    assert post(acme_api, a_cloudevent(traceparent="00-2-2-01"), ONE_CLOUD)["duplicates"] == 1
    assert UsageEvent.objects.get().properties["model"] == "gpt-5"
    assert "region" not in UsageEvent.objects.get().properties


def test_headers_of_a_binary_cloudevent_are_percent_encoded(chat: Customer, acme_api: Api) -> None:
    headers = {
        "ce_specversion": "1.0", "ce_id": "Euro%20%E2%82%AC", "ce_source": "/s", "ce_type": "llm.call",
        "ce_subject": "chat",
    }  # fmt: skip
    answer = post(acme_api, {"input_tokens": 1, "output_tokens": 1}, "application/json", **headers)
    assert told(answer) == [(0, "Euro €", "accepted", "", "")]
    empty = post(acme_api, b"", "application/json", **headers | {"ce_id": "x", "ce_subject": ""})
    assert told(empty) == [(0, "x", "rejected", "invalid_customer", "/subject")]


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"[]", ONE_CLOUD, (400, "invalid_body")),
        (b"{}", MANY_CLOUD, (400, "invalid_body")),
        (b"[]", MANY_CLOUD, (400, "invalid_body")),
        (b"{", ONE_CLOUD, (400, "invalid_json")),
        (b"[" + b"0," * 1000 + b"0]", MANY_CLOUD, (413, "too_many_events")),
        (b"{}", "application/cloudevents+avro", (415, "unsupported_media_type")),
        (b"{}", "application/cloudevents", (415, "unsupported_media_type")),
    ],
)
def test_what_is_no_cloudevent_at_all_is_refused(
    chat: Customer, acme_api: Api, body: bytes, content_type: str, expected: tuple[int, str]
) -> None:
    assert refusal(acme_api, body, content_type) == expected
