"""The front door and the site's own view answer alike: status, headers and every word of the body."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from apps.access.models import ApiKey, Scope
from apps.access.services.api_keys import change_limits, create_api_key
from apps.tenants.models import Tenant
from tests.harness.cast import KEYS
from tests.harness.factories import an_event
from tests.harness.server import WebServer

# The front door leaves a request to the site when a header comes twice.
TO_THE_SITE = [("X-Twice", "1"), ("X-Twice", "2")]
ONE = json.dumps({"events": [an_event()]}).encode()
MIXED = json.dumps(
    {
        "events": [
            an_event("new"),
            an_event("new"),
            an_event("new", customer="other"),
            an_event("unknown", customer="nobody"),
            an_event("", customer="chat"),
            an_event("odd", properties={"input_tokens": -1}),
            {"id": "\ud800", "event": "llm.call", "customer": "chat"},
            5,
        ]
    }
).encode()
CLOUD = {"specversion": "1.0", "id": "c1", "source": "s", "type": "llm.call", "subject": "chat", "data": {}}
LINES = b"\n".join([json.dumps(an_event("line")).encode(), b"{", b"", json.dumps(an_event("last")).encode()])
BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "b%C3%A4",
    "ce-source": "s",
    "ce-type": "llm.call",
    "ce-subject": "x",
}
ACME = f"Bearer {KEYS['acme']}"
GLOBEX = f"Bearer {KEYS['globex']}"

CASES: dict[str, tuple[bytes, dict[str, str]]] = {
    "accepted": (ONE, {}),
    "mixed": (MIXED, {}),
    "form": (ONE, {"Content-Type": "application/x-www-form-urlencoded"}),
    "alone": (json.dumps(an_event()).encode(), {}),
    "lines": (LINES, {"Content-Type": "application/x-ndjson"}),
    "cloudevent": (json.dumps(CLOUD).encode(), {"Content-Type": "application/cloudevents+json"}),
    "cloudevents": (json.dumps([CLOUD, 5]).encode(), {"Content-Type": "application/cloudevents-batch+json"}),
    "binary": (b"{}", {"Content-Type": "application/json; charset=utf-8", **BINARY}),
    "no gzip": (ONE, {"Content-Encoding": "gzip"}),
    "unknown encoding": (ONE, {"Content-Encoding": "br"}),
    "unknown type": (ONE, {"Content-Type": "text/csv"}),
    "no json": (b"{", {}),
    "empty": (b"", {}),
    "no events": (b'{"events": []}', {}),
    "too many": (json.dumps({"events": [1] * 1001}).encode(), {}),
    "too large": (b" " * (1024 * 1024 + 1), {}),
    "bomb": (gzip.compress(b" " * 5 * 1024 * 1024), {"Content-Encoding": "gzip"}),
    "no key": (ONE, {"Authorization": ""}),
    "made-up key": (ONE, {"Authorization": f"Bearer ch_live_acme_{'f' * 64}"}),
    "no such tenant": (ONE, {"Authorization": f"Bearer ch_live_nobody_{'f' * 64}"}),
    "another scheme": (ONE, {"Authorization": f"Basic {KEYS['acme']}"}),
    "its own host": (ONE, {"Host": "acme.localhost"}),
    "another's host": (ONE, {"Host": "globex.localhost"}),
    "another's key": (ONE, {"Host": "acme.localhost", "Authorization": GLOBEX}),
    "unknown host": (ONE, {"Host": "nobody.localhost"}),
    "its request id": (ONE, {"X-Request-Id": "my-request-1"}),
    "an odd request id": (ONE, {"X-Request-Id": "no spaces please"}),
}


@pytest.fixture
def bare(web: WebServer, open_for_business: Tenant) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{web.port}/api/v1", timeout=30) as client:
        yield client


def both(client: httpx.Client, body: bytes, headers: dict[str, str], *, name: str = "") -> list[Any]:
    sent = {"Authorization": ACME, "Content-Type": "application/json"} | headers
    answers = []
    for way, more in (("door", []), ("site", TO_THE_SITE)):
        # Each case and way has ids of its own, or the second would bring duplicates.
        mine = body.replace(b'"id": "', f'"id": "{name}-{way}-'.encode())
        response = client.post("/events?results=all", content=mine, headers=[*sent.items(), *more])
        told = response.json()
        if told.pop("request_id", None):
            assert response.headers["X-Request-Id"]
        seen = {
            name: value for name, value in response.headers.items() if name not in ("date", "content-length")
        }
        if "X-Request-Id" not in headers:
            seen["x-request-id"] = seen["x-request-id"][:4]
        # What only Django's and DRF's own views add.
        for field in ("allow", "vary"):
            seen.pop(field, None)
        text = json.dumps(told).replace(f"{name}-{way}-", "")
        answers.append((response.status_code, json.loads(text), seen))
    return answers


def test_alike(bare: httpx.Client) -> None:
    seen = {}
    for name, (body, headers) in CASES.items():
        door, site = both(bare, body, headers, name=name)
        if name == "an odd request id":
            door[2]["x-request-id"] = site[2]["x-request-id"] = ""
        assert door == site, name
        seen[name] = door[0], door[1].get("code")
    assert seen["mixed"] == (200, None)
    assert seen["another's key"] == (401, "invalid_api_key")
    assert seen["unknown host"] == (404, "unknown_host")
    assert seen["unknown type"] == (415, "unsupported_media_type")


def test_alike_for_keys_that_may_not(bare: httpx.Client, open_for_business: Tenant) -> None:
    reader = create_api_key(tenant=open_for_business, name="reader", scopes=[Scope.USAGE_READ])
    narrow = create_api_key(
        tenant=open_for_business,
        name="narrow",
        scopes=[Scope.EVENTS_WRITE],
        events_per_second=1,
        burst_events=2,
    )
    door, site = both(bare, ONE, {"Authorization": f"Bearer {reader.key}"})
    assert door == site
    assert (door[0], door[1]["code"]) == (403, "missing_scope")
    door, site = both(
        bare, json.dumps({"events": [1, 2, 3]}).encode(), {"Authorization": f"Bearer {narrow.key}"}
    )
    assert door == site
    assert (door[0], door[1]["code"]) == (413, "batch_exceeds_burst")
    change_limits(api_key=narrow.api_key, events_per_second=1, burst_events=1)
    assert ApiKey.objects.get(pk=narrow.api_key.pk).last_used_at is not None
    for _ in range(2):
        refused = bare.post("/events", content=ONE, headers={"Authorization": f"Bearer {narrow.key}"})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == "1"
