"""The envelope of POST /events: what is refused as a whole, stores nothing and says why."""

import gzip
import json
import zlib

import pytest

from apps.customers.models import Customer
from apps.usage.models import UsageEvent
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event

MIB = 1024 * 1024


def batch_of(size: int) -> bytes:
    """A batch with one event, as JSON of exactly so many bytes."""
    body = json.dumps({"events": [an_event()], "filler": ""}).encode()
    return body.replace(b'"filler": ""', b'"filler": "' + b"x" * (size - len(body)) + b'"')


def refused(api: Api, body: bytes, **headers: str) -> tuple[int, str]:
    with nothing_changes_in("acme"):
        response = api.post("/events", body, **headers)
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:countinghouse:problem:{problem['code']}"
    assert problem["request_id"] == response["X-Request-Id"]
    return response.status_code, problem["code"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"5",
        b'"events"',
        b'{"events": {}}',
        b'{"events": null}',
        b'{"events": []}',
    ],
)
def test_what_has_no_events_is_refused(chat: Customer, acme_api: Api, body: bytes) -> None:
    assert refused(acme_api, body) == (400, "invalid_body")


@pytest.mark.parametrize(
    "body", [b"{", b'{"events": [}', b"\xff\xfe", b"events=1", b'{"events": [01]}', b"\0"]
)
def test_what_is_no_json_is_refused(chat: Customer, acme_api: Api, body: bytes) -> None:
    assert refused(acme_api, body) == (400, "invalid_json")


def test_takes_a_thousand_events_and_not_one_more(chat: Customer, acme_api: Api) -> None:
    events = [an_event(f"e{index}") for index in range(1001)]
    body = json.dumps({"events": events}).encode()
    assert refused(acme_api, body) == (413, "too_many_events")
    assert acme_api.report(*events[:1000])["accepted"] == 1000


def test_takes_a_mebibyte_and_not_one_byte_more(chat: Customer, acme_api: Api) -> None:
    assert refused(acme_api, batch_of(MIB + 1)) == (413, "payload_too_large")
    response = acme_api.post("/events", batch_of(MIB))
    assert (response.status_code, response.json()["accepted"]) == (200, 1)


def test_takes_gzip(chat: Customer, acme_api: Api) -> None:
    response = acme_api.post("/events", gzip.compress(batch_of(MIB)), content_encoding="gzip")
    assert (response.status_code, response.json()["accepted"]) == (200, 1)


def test_takes_gzip_in_several_members(chat: Customer, acme_api: Api) -> None:
    body = batch_of(2000)
    members = gzip.compress(body[:700]) + gzip.compress(b"") + gzip.compress(body[700:])
    response = acme_api.post("/events", members, content_encoding="GZIP")
    assert (response.status_code, response.json()["accepted"]) == (200, 1)


@pytest.mark.parametrize(
    "body",
    [
        batch_of(500),
        zlib.compress(batch_of(500)),
        gzip.compress(batch_of(500))[:-1],
        gzip.compress(batch_of(500))[:40],
        gzip.compress(batch_of(500))[:-8] + b"\0" * 8,
        gzip.compress(batch_of(500)) + b"trailing",
        b"\x1f\x8b",
    ],
    ids=["plain", "zlib", "cut", "cut early", "wrong checksum", "trailing", "two bytes"],
)
def test_what_is_announced_as_gzip_and_is_not_is_refused(chat: Customer, acme_api: Api, body: bytes) -> None:
    assert refused(acme_api, body, content_encoding="gzip") == (400, "invalid_encoding")


def test_an_unknown_encoding_is_refused(chat: Customer, acme_api: Api) -> None:
    assert refused(acme_api, batch_of(500), content_encoding="br") == (400, "invalid_encoding")


def test_a_bomb_never_unfolds(chat: Customer, acme_api: Api) -> None:
    bomb = gzip.compress(b"\0" * 200 * MIB)
    assert len(bomb) < MIB
    assert refused(acme_api, bomb, content_encoding="gzip") == (413, "payload_too_large")


def test_a_bomb_of_many_members_never_unfolds(chat: Customer, acme_api: Api) -> None:
    assert refused(acme_api, gzip.compress(b" " * MIB) * 50, content_encoding="gzip") == (
        413, "payload_too_large",
    )  # fmt: skip


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8", ""]
)
def test_json_by_any_name_is_json(chat: Customer, acme_api: Api, content_type: str) -> None:
    """`curl -d` just works."""
    response = acme_api.client.post("/api/v1/events", batch_of(400), content_type=content_type)
    assert (response.status_code, response.json()["accepted"]) == (200, 1)
    assert UsageEvent.objects.count() == 1


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "json", "text/csv", "application/xml"]
)
def test_what_is_announced_as_something_else_is_not_read(
    chat: Customer, acme_api: Api, content_type: str
) -> None:
    response = acme_api.client.post("/api/v1/events", batch_of(400), content_type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert not UsageEvent.objects.exists()
