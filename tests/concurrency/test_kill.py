"""A kill -9 of the server in the middle of ingestion: what was answered is there, and a resend makes totals exact."""

import threading
import time
from typing import Any

import httpx

from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.harness.cast import KEYS
from tests.harness.factories import an_event, make_customer, make_plan
from tests.harness.server import WebServer
from tests.usage.totals import assert_rollups_equal_events, metered

BATCHES, SIZE, CLIENTS = 40, 100, 4


def batch(number: int) -> list[dict[str, Any]]:
    return [
        an_event(f"{number}-{index}", properties={"input_tokens": number + index, "output_tokens": 1})
        for index in range(SIZE)
    ]


def send(client: httpx.Client, number: int) -> dict[str, int]:
    response = client.post("/api/v1/events", json={"events": batch(number)})
    assert response.status_code == 200, response.text
    answer: dict[str, int] = response.json()
    return answer


def test_a_kill_in_the_middle_loses_and_doubles_nothing(web: WebServer, in_acme: Tenant) -> None:
    make_customer()
    make_plan()
    answered: list[int] = []
    queue = list(range(BATCHES))
    headers = {"Authorization": f"Bearer {KEYS['acme']}"}

    def work() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", headers=headers, timeout=30) as client:
            while queue:
                number = queue.pop()
                try:
                    send(client, number)
                except httpx.TransportError:
                    return
                answered.append(number)

    clients = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    deadline = time.monotonic() + 30
    while len(answered) < BATCHES // 4:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    web.kill()
    for client in clients:
        client.join(30)
    assert len(answered) < BATCHES

    stored = set(UsageEvent.objects.values_list("event_id", flat=True))
    assert {event["id"] for number in answered for event in batch(number)} <= stored
    assert len(stored) % SIZE == 0  # a batch is there as a whole or not at all
    assert_rollups_equal_events()

    web.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", headers=headers, timeout=30) as client:
        answers = [send(client, number) for number in range(BATCHES)]
        assert sum(answer["accepted"] for answer in answers) == BATCHES * SIZE - len(stored)
        assert sum(answer["duplicates"] for answer in answers) == len(stored)
        usage = client.get(
            "/api/v1/customers/chat/usage",
            params={"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"},
        ).json()
    expected = sum(number + index for number in range(BATCHES) for index in range(SIZE))
    assert [one["quantity"] for one in usage["meters"]] == [str(expected), str(BATCHES * SIZE)]
    assert metered("input_tokens") == expected
    assert_rollups_equal_events()
