"""Requests that share a transaction: one of them can't spoil it for the others, and their verdicts don't mix."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import httpx
import pytest
from django.conf import LazySettings
from django.db import OperationalError

from apps.access.services.admission import Door
from apps.tenants.models import Tenant
from apps.usage.api import settle
from apps.usage.api.body import OVERHEAD, Body, Receive, Scope, Send
from apps.usage.api.front_door import FrontDoor
from apps.usage.api.settle import Unavailable
from apps.usage.models import UsageEvent
from apps.usage.services import ingest as ingestion
from apps.usage.wire.verdict import Verdict
from apps.usage.wire.weight import decoded_size
from tests.harness.cast import KEYS
from tests.harness.factories import an_event
from tests.usage.totals import assert_rollups_equal_events

Ingest = Callable[..., Sequence[Verdict]]
genuine: Ingest = ingestion.ingest


async def no_site(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("The site was asked.")


class Counting:
    """In place of ingestion: notes the sizes of groups, and does `before` for each."""

    def __init__(self, before: Callable[[list[str]], None] = lambda ids: None) -> None:
        self.groups: list[int] = []
        self.before = before

    def __call__(self, *, events: list[Any], now: datetime) -> Sequence[Verdict]:
        self.groups.append(len(events))
        self.before([event.id for event in events])
        return genuine(events=events, now=now)


@pytest.fixture
def counting(fresh_database: str, open_for_business: Tenant, monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setattr(settle.ingestion, "ingest", counting)
    return counting


def send(*batches: list[dict[str, Any]], door: FrontDoor | None = None) -> list[httpx.Response]:
    """All at once, at a front door of their own. The first makes the key known."""

    door = door or FrontDoor(no_site)

    async def run() -> list[httpx.Response]:
        headers = {"Authorization": f"Bearer {KEYS['acme']}"}
        transport = httpx.ASGITransport(door)
        try:
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", headers=headers
            ) as client:
                url = "/api/v1/events?results=all"
                first = await client.post(url, json={"events": [an_event("first")]})
                assert first.status_code == 200, first.text
                return list(
                    await asyncio.gather(*(client.post(url, json={"events": batch}) for batch in batches))
                )
        finally:
            door.gatherer.pool.shutdown()

    return asyncio.run(run())


def test_what_comes_meanwhile_is_stored_together(counting: Counting) -> None:
    responses = send(*([an_event(f"e{number}")] for number in range(300)))
    assert {response.status_code for response in responses} == {200}
    assert [response.json()["results"][0]["id"] for response in responses] == [f"e{n}" for n in range(300)]
    assert sum(counting.groups) == 301
    assert len(counting.groups) < 60
    assert max(counting.groups) <= 64
    assert_rollups_equal_events()


def test_verdicts_find_their_way_back(counting: Counting) -> None:
    """Duplicates and conflicts across the requests of a group, each told with numbers of its own request."""
    batches = [
        [an_event(f"e{number}"), an_event(f"e{number}"), an_event("same"), an_event("")]
        for number in range(40)
    ]
    responses = send(*batches, [an_event("same", customer="nobody")])
    assert len(counting.groups) < 20
    first_same = 0
    for number, response in enumerate(responses[:-1]):
        results = response.json()["results"]
        assert [one["index"] for one in results] == [0, 1, 2, 3]
        assert [one["id"] for one in results] == [f"e{number}", f"e{number}", "same", ""]
        assert [one["status"] for one in results[:2]] == ["accepted", "duplicate"]
        assert results[3]["param"] == "/events/3/id"
        first_same += results[2]["status"] == "accepted"
    assert first_same == 1
    (odd,) = responses[-1].json()["results"]
    assert (odd["status"], odd["param"]) == ("conflict", "/events/0/id")


def test_one_that_breaks_ingestion_does_not_take_the_others_along(counting: Counting) -> None:
    def break_at_poison(ids: list[str]) -> None:
        if "poison" in ids:
            raise RuntimeError("poison")

    counting.before = break_at_poison
    responses = send(*([an_event("poison" if number == 20 else f"e{number}")] for number in range(40)))
    assert [response.status_code for response in responses].count(200) == 39
    broken = responses[20]
    assert (broken.status_code, broken.json()["code"]) == (500, "internal_error")
    assert broken.json()["request_id"] == broken.headers["X-Request-Id"]
    assert "poison" not in broken.text
    assert UsageEvent.objects.count() == 40
    assert_rollups_equal_events()


def test_trouble_of_the_database_is_told_as_such(counting: Counting) -> None:
    def fail(ids: list[str]) -> None:
        if "first" not in ids:
            raise OperationalError("no space left")

    counting.before = fail
    (response,) = send([an_event("e1")])
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.headers["Retry-After"] == "1"
    assert UsageEvent.objects.count() == 1


def test_large_requests_go_together_up_to_a_bound(counting: Counting, settings: LazySettings) -> None:
    settings.INGESTION_GROUP_EVENTS = 1000
    send(*([an_event(f"{number}-{index}") for index in range(500)] for number in range(4)))
    assert counting.groups == [1, 1000, 1000]


def test_more_than_can_be_held_is_told_to_come_again(counting: Counting, settings: LazySettings) -> None:
    settings.INGESTION_HELD_BYTES = 40 * OVERHEAD
    responses = send(*([an_event(f"e{number}")] for number in range(100)))
    statuses = [response.status_code for response in responses]
    assert set(statuses) == {200, 503}
    refused = responses[statuses.index(503)]
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("overloaded", "1")
    assert UsageEvent.objects.count() == 1 + statuses.count(200)
    # What was held is let go again.
    assert {response.status_code for response in send([an_event("late")])} == {200}


def test_what_is_decoded_counts_and_is_let_go(counting: Counting, settings: LazySettings) -> None:
    """A few kilobytes that unfold to some megabytes, of which so many may be held as three requests take."""
    odd = {"x": [{}] * 20_000}
    size = decoded_size(json.dumps({"events": [an_event(properties=odd)]}).encode())
    settings.INGESTION_HELD_BYTES = 2 * 3 * (size + 100_000)
    held: list[int] = []
    door = FrontDoor(no_site)
    counting.before = lambda ids: held.append(door.held_bytes)
    responses = send(*([an_event(f"e{number}", properties=odd)] for number in range(8)), door=door)
    statuses = [response.status_code for response in responses]
    assert (set(statuses), statuses.count(200) >= 3) == ({200, 503}, True)
    refused = responses[statuses.index(503)]
    assert (refused.json()["code"], refused.headers["Retry-After"]) == ("overloaded", "1")
    assert size < max(held) <= settings.INGESTION_HELD_BYTES // 2
    assert (door.held_bytes, door.held_at) == (0, {})


def test_a_door_does_not_take_the_room_of_others(settings: LazySettings) -> None:
    door = FrontDoor(no_site)
    settings.INGESTION_HELD_BYTES = 100
    mine, more, other = (Body(door, limit=1000) for _ in range(3))
    mine.door = more.door = Door("localhost", "acme")
    other.door = Door("localhost", "globex")
    mine.hold(40)
    with pytest.raises(Unavailable):
        more.hold(20)
    other.hold(30)
    for body in (mine, more, other):
        body.release()
    assert (door.held_bytes, door.held_at) == (0, {})
