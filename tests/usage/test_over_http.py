"""The same contract over a real server and a real socket."""

import gzip
import json
from collections.abc import Iterator

import httpx
import pytest

from apps.tenants.models import Tenant
from tests.harness.cast import KEYS
from tests.harness.factories import an_event, make_customer, make_plan
from tests.harness.server import WebServer


@pytest.fixture
def client(web: WebServer, in_acme: Tenant) -> Iterator[httpx.Client]:
    make_customer()
    make_plan()
    headers = {"Authorization": f"Bearer {KEYS['acme']}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{web.port}/api/v1", headers=headers, timeout=30) as client:
        yield client


def test_any_way_to_send_a_body_is_understood(client: httpx.Client) -> None:
    """With a length, compressed, and in chunks without one, as clients do that compress while they send."""
    batches = [json.dumps({"events": [an_event(f"e{number}")]}).encode() for number in range(4)]
    compressed = gzip.compress(batches[1])

    def chunks(body: bytes) -> Iterator[bytes]:
        yield body[:20]
        yield body[20:]

    answers = [
        client.post("/events", content=batches[0]),
        client.post("/events", content=compressed, headers={"Content-Encoding": "gzip"}),
        client.post("/events", content=chunks(batches[2])),
        client.post(
            "/events", content=chunks(gzip.compress(batches[3])), headers={"Content-Encoding": "gzip"}
        ),
    ]
    assert [(one.status_code, one.json().get("accepted")) for one in answers] == [(200, 1)] * 4
    endless = client.post("/events", content=(b" " * 65_536 for _ in range(17)))
    assert (endless.status_code, endless.json()["code"]) == (413, "payload_too_large")
    assert client.get("/customers/chat").status_code == 200
