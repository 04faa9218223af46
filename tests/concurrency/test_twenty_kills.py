"""Twenty times kill -9 in the middle of ingestion, of the web server and of PostgreSQL's backends in turn.

On a PostgreSQL of its own, durable as in production: the death of a backend makes the whole server recover.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from config.local.lease import lease
from config.local.postgres import Postgres, url_of
from tests.harness.databases import ROOT
from tests.harness.server import WebServer, environment_for

KILLS = 20
CLIENTS = 4
SIZE = 50
START = "2026-01-15T10:00:00Z"
# What one event counts, so that a total tells how many events it is made of.
WEIGHT = 7


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    server = Postgres(tmp_path / "postgres")
    with lease(server):
        yield url_of(server)


def manage(url: str, *words: str) -> str:
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=environment_for(url), check=True, capture_output=True, text=True
    )
    return done.stdout


class Reporter:
    """Sends batches of numbered events until it is told to stop. Remembers what it sent and what was acknowledged."""

    def __init__(self, client: httpx.Client, numbers: "itertools.count[int]", seed: int) -> None:
        self.client = client
        self.numbers = numbers
        self.chance = random.Random(seed)
        self.sent: set[int] = set()
        self.acknowledged: set[int] = set()
        self.is_over = False

    def work(self) -> None:
        while not self.is_over:
            batch = [next(self.numbers) for _ in range(SIZE)]
            # Some of what was sent before, known or not, in any order: clients that retry do that.
            batch += self.chance.sample(sorted(self.sent), min(len(self.sent), SIZE // 2))
            self.chance.shuffle(batch)
            self.sent |= set(batch)
            try:
                answer = report(self.client, batch)
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            if answer.status_code == 200:
                body = answer.json()
                assert (body["conflicts"], body["quarantined"], body["rejected"]) == (0, 0, 0)
                self.acknowledged |= set(batch)
            else:
                assert answer.status_code == 503, answer.text
                time.sleep(0.02)


def report(client: httpx.Client, numbers: list[int]) -> httpx.Response:
    return client.post("/api/v1/events", json={"events": [event(number) for number in numbers]})


def event(number: int) -> dict[str, Any]:
    return {
        "id": f"event-{number}",
        "event": "call",
        "customer": f"customer-{number % 3}",
        "timestamp": START,
        "properties": {"tokens": WEIGHT, "model": f"m{number % 5}"},
    }


def test_twenty_kills_lose_and_double_nothing(url: str, tmp_path: Path) -> None:
    manage(url, "migrate_schemas", "--verbosity", "0")
    key = json.loads(manage(url, "create_tenant", "acme"))["api_key"]
    web = WebServer(url, tmp_path / "web.log")
    web.start()
    headers = {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{web.port}", headers=headers, timeout=30) as client:
            prepare(client)
            numbers = itertools.count()
            reporters = [Reporter(client, numbers, seed) for seed in range(CLIENTS)]
            threads = [threading.Thread(target=reporter.work) for reporter in reporters]
            for thread in threads:
                thread.start()
            try:
                for kill in range(KILLS):
                    wait_for_progress(reporters)
                    if kill % 2:
                        kill_backend(url)
                    else:
                        web.kill()
                        web.start()
            finally:
                for reporter in reporters:
                    reporter.is_over = True
                for thread in threads:
                    thread.join(60)
            sent = set().union(*(reporter.sent for reporter in reporters))
            acknowledged = set().union(*(reporter.acknowledged for reporter in reporters))
            assert len(acknowledged) > KILLS * SIZE
            stored = stored_numbers(url)
            assert acknowledged <= stored <= sent
            resend(client, sorted(sent), stored)
            assert_exact(client, url, sent)
    finally:
        web.stop()


def prepare(client: httpx.Client) -> None:
    for number in range(3):
        made = client.post(
            "/api/v1/customers", json={"external_id": f"customer-{number}", "name": f"Customer {number}"}
        )
        assert made.status_code == 201, made.text
    meter = {
        "code": "tokens", "name": "Tokens", "event_name": "call", "aggregation": "sum", "value_property": "tokens",
        "dimensions": ["model"],
    }  # fmt: skip
    made = client.post("/api/v1/meters", json=meter)
    assert made.status_code == 201, made.text


def wait_for_progress(reporters: list[Reporter]) -> None:
    """Each kill meets batches that are under way."""
    before = sum(len(reporter.acknowledged) for reporter in reporters)
    deadline = time.monotonic() + 60
    while sum(len(reporter.acknowledged) for reporter in reporters) < before + 2 * SIZE:
        assert time.monotonic() < deadline, "nothing is acknowledged any more"
        time.sleep(0.005)


def kill_backend(url: str) -> None:
    """One that is at work in ingestion, if there is one just now. The others are disconnected by the recovery."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
            " ORDER BY (state <> 'idle') DESC, state_change DESC LIMIT 1"
        ).fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGKILL)


def stored_numbers(url: str) -> set[int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT event_id FROM acme.usage_usageevent").fetchall()
    numbers = [int(event_id.removeprefix("event-")) for (event_id,) in rows]
    assert len(numbers) == len(set(numbers))
    return set(numbers)


def resend(client: httpx.Client, numbers: list[int], stored: set[int]) -> None:
    accepted = duplicates = 0
    for start in range(0, len(numbers), 1000):
        answer = report(client, numbers[start : start + 1000]).json()
        accepted, duplicates = accepted + answer["accepted"], duplicates + answer["duplicates"]
    assert (accepted, duplicates) == (len(numbers) - len(stored), len(stored))


def assert_exact(client: httpx.Client, url: str, sent: set[int]) -> None:
    for customer in range(3):
        answer = client.get(
            f"/api/v1/customers/customer-{customer}/usage",
            params={"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"},
        ).json()
        expected = sum(number % 3 == customer for number in sent)
        assert [(one["quantity"], one["event_count"]) for one in answer["meters"]] == [
            (str(WEIGHT * expected), expected)
        ]
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT sum(quantity)::bigint, sum(event_count)::bigint FROM acme.usage_rolluphour"
            " UNION ALL SELECT sum(quantity)::bigint, sum(event_count)::bigint FROM acme.usage_daypart"
            " UNION ALL SELECT count(*) * %s, count(*) FROM acme.usage_usageevent"
            " UNION ALL SELECT count(*) * %s, count(*) FROM acme.usage_eventkey",
            [WEIGHT, WEIGHT],
        ).fetchall()
    assert rows == [(WEIGHT * len(sent), len(sent))] * 4
