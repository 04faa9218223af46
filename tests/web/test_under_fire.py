"""The front door while something goes wrong: what was answered is there, and who sends again ends up exact."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
from django.db import connection

from apps.access.models import ApiKey, Scope
from apps.access.services.api_keys import create_api_key, revoke_api_key
from apps.core import clock
from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.harness.cast import KEYS
from tests.harness.factories import an_event
from tests.harness.server import WebServer
from tests.usage.totals import assert_rollups_equal_events, metered

CLIENTS = 12


@dataclass
class Load:
    """Clients that send single events, and the same one again until it is answered 200."""

    web: WebServer
    count: int
    numbers: Iterator[int] = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)
    answered: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: int = 0
    is_over: bool = False

    def __post_init__(self) -> None:
        self.numbers = iter(range(self.count))

    def work(self) -> None:
        headers = {"Authorization": f"Bearer {KEYS['acme']}"}
        with httpx.Client(
            base_url=f"http://127.0.0.1:{self.web.port}", headers=headers, timeout=60
        ) as client:
            while True:
                with self.lock:
                    number = next(self.numbers, None)
                if number is None or not self.send_until_answered(client, number):
                    return

    def send_until_answered(self, client: httpx.Client, number: int) -> bool:
        event = an_event(f"e{number}", properties={"input_tokens": number, "output_tokens": 1})
        while not self.is_over:
            try:
                response = client.post("/api/v1/events", json={"events": [event]})
            except httpx.TransportError:
                self.failures += 1
                time.sleep(0.02)
                continue
            with self.lock:
                self.statuses[response.status_code] += 1
            if response.status_code == 200:
                self.answered.append(number)
                return True
            time.sleep(0.02)
        return False


@contextmanager
def under_load(web: WebServer, count: int, *, until: int) -> Iterator[Load]:
    """Enter when so many are answered."""
    load = Load(web, count)
    threads = [threading.Thread(target=load.work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(load.answered) >= until)
        yield load
    finally:
        for thread in threads:
            thread.join(60)


def wait_for(holds: Callable[[], bool], seconds: int = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def assert_exact(count: int) -> None:
    assert UsageEvent.objects.count() == count
    assert metered("input_tokens") == sum(range(count))
    assert_rollups_equal_events()


def workers_of(web: WebServer) -> list[int]:
    assert web.process is not None
    children = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def test_sigterm_loses_nothing_that_was_answered(web: WebServer, open_for_business: Tenant) -> None:
    with under_load(web, 100_000, until=200) as load:
        assert web.process is not None
        web.process.send_signal(signal.SIGTERM)
        assert web.process.wait(15) == 0
        load.is_over = True
    assert set(load.statuses) == {200}
    stored = set(UsageEvent.objects.values_list("event_id", flat=True))
    assert {f"e{number}" for number in load.answered} == stored
    assert_rollups_equal_events()


def test_a_worker_that_is_killed_is_replaced(web: WebServer, open_for_business: Tenant) -> None:
    with under_load(web, 1200, until=200) as load:
        before = workers_of(web)
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda: len(set(workers_of(web)) - set(before)) == 1)
    assert set(load.statuses) == {200}
    assert_exact(1200)


def test_the_end_of_all_database_connections_is_survived(web: WebServer, open_for_business: Tenant) -> None:
    with (
        under_load(web, 1500, until=200) as load,
        psycopg.connect(web.database_url, autocommit=True) as other,
    ):
        mine = connection.connection.info.backend_pid
        for _ in range(5):
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid NOT IN (%s, pg_backend_pid())",
                [mine],
            )
            time.sleep(0.05)
    assert set(load.statuses) <= {200, 503}
    assert load.failures == 0
    assert_exact(1500)
    assert httpx.get(f"http://127.0.0.1:{web.port}/healthz").status_code == 200


def test_a_limit_holds_over_all_processes(web: WebServer, open_for_business: Tenant) -> None:
    key = create_api_key(
        tenant=open_for_business,
        name="narrow",
        scopes=[Scope.EVENTS_WRITE],
        events_per_second=1,
        burst_events=200,
    ).key
    statuses: Counter[int] = Counter()

    def work(writer: int) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
            for number in range(30):
                events = [an_event(f"{writer}-{number}-{index}") for index in range(3)]
                response = client.post(f"http://127.0.0.1:{web.port}/api/v1/events", json={"events": events})
                statuses[response.status_code] += 1
                if response.status_code == 429:
                    assert int(response.headers["Retry-After"]) >= 1

    began = time.monotonic()
    threads = [threading.Thread(target=work, args=[writer]) for writer in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    at_most = 200 + int(time.monotonic() - began) + 1
    assert set(statuses) == {200, 429}
    assert UsageEvent.objects.count() == 3 * statuses[200]
    assert 198 <= UsageEvent.objects.count() <= at_most


def test_a_revoked_key_is_refused_at_once_by_all(web: WebServer, open_for_business: Tenant) -> None:
    def told() -> int:
        # A new connection each time, which any of the workers may take.
        return httpx.post(
            f"http://127.0.0.1:{web.port}/api/v1/events",
            json={"events": [an_event()]},
            headers={"Authorization": f"Bearer {KEYS['acme']}"},
        ).status_code

    assert {told() for _ in range(20)} == {200}
    assert revoke_api_key(api_key=ApiKey.objects.get(name="Default"), now=clock.real_now())
    assert {told() for _ in range(20)} == {401}


def test_the_installation_limits_keys_without_a_limit(web: WebServer, open_for_business: Tenant) -> None:
    server = WebServer(web.database_url, web.log, environment={"INGESTION_RATE_LIMIT": "2"})
    try:
        server.start()
        with httpx.Client(headers={"Authorization": f"Bearer {KEYS['acme']}"}, timeout=30) as client:
            url = f"http://127.0.0.1:{server.port}/api/v1/events"
            first = client.post(url, json={"events": [an_event(f"a{number}") for number in range(1000)]})
            second = client.post(url, json={"events": [an_event(f"b{number}") for number in range(1000)]})
        assert (first.status_code, second.status_code) == (200, 429)
        assert 490 <= int(second.headers["Retry-After"]) <= 500
    finally:
        server.stop()
