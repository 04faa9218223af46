"""HTTP/1.1 as clients really speak it: kept connections, pipelines, slow and broken bodies, larger limits."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.harness.cast import KEYS
from tests.harness.factories import an_event
from tests.harness.server import WebServer


def request(*ids: str, more: str = "") -> bytes:
    body = json.dumps({"events": [an_event(event_id) for event_id in ids]}).encode()
    return head(len(body), more) + body


def head(length: int, more: str = "") -> bytes:
    return (
        f"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEYS['acme']}\r\n"
        f"Content-Length: {length}\r\n{more}\r\n"
    ).encode()


def connected(web: WebServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", web.port), timeout=20)


def answers(connection: socket.socket, count: int) -> list[tuple[int, dict[str, object]]]:
    """Read so many answers with a length."""
    received, found = b"", []
    while len(found) < count:
        part = connection.recv(65536)
        assert part, received
        received += part
        while b"\r\n\r\n" in received:
            top, _, rest = received.partition(b"\r\n\r\n")
            length = int(top.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            if len(rest) < length:
                break
            found.append((int(top.split()[1]), json.loads(rest[:length])))
            received = rest[length:]
    assert not received
    return found


def test_a_connection_is_kept_and_a_pipeline_answered_in_order(
    web: WebServer, open_for_business: Tenant
) -> None:
    with connected(web) as connection:
        connection.sendall(request("a"))
        assert answers(connection, 1)[0][1]["accepted"] == 1
        connection.sendall(
            b"".join([request("b", "c"), request("b"), b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
        )
        connection.sendall(request("d", "e", "f"))
        received = b""
        while received.count(b"HTTP/1.1 200") < 4 or not received.endswith(b"]}"):
            received += connection.recv(65536)
    told = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200")[1:]]
    assert b'"accepted":2' in told[0]
    assert b'"duplicates":1' in told[1]
    assert b"ok" in told[2]
    assert b'"accepted":3' in told[3]


def test_a_body_may_come_in_pieces(web: WebServer, open_for_business: Tenant) -> None:
    whole = request("slow")
    with connected(web) as connection:
        for start in range(0, len(whole), 60):
            connection.sendall(whole[start : start + 60])
            time.sleep(0.02)
        assert answers(connection, 1)[0][1]["accepted"] == 1


def test_waits_for_the_word_to_send_the_body(web: WebServer, open_for_business: Tenant) -> None:
    top, _, body = request("expected", more="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with connected(web) as connection:
        connection.sendall(top + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(body)
        assert answers(connection, 1)[0][1]["accepted"] == 1


def test_who_hangs_up_before_the_end_has_sent_nothing(
    web: WebServer, client: httpx.Client, open_for_business: Tenant
) -> None:
    whole = request("cut", "cut-too")
    with connected(web) as connection:
        connection.sendall(whole[:-2])
    assert client.post("/events", json={"events": [an_event("next")]}).json()["accepted"] == 1
    assert list(UsageEvent.objects.values_list("event_id", flat=True)) == ["next"]


def test_who_hangs_up_after_the_end_has_reported(web: WebServer, open_for_business: Tenant) -> None:
    server = WebServer(web.database_url, web.log, workers=1)
    try:
        server.start()
        with connected(server) as connection:
            connection.sendall(request("known"))
            answers(connection, 1)
            connection.sendall(request("gone"))
        deadline = time.monotonic() + 10
        while not UsageEvent.objects.filter(event_id="gone").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        server.stop()


def test_an_announced_length_beyond_the_limit_is_refused_before_it_comes(
    web: WebServer, open_for_business: Tenant
) -> None:
    with connected(web) as connection:
        connection.sendall(head(1024 * 1024 + 1))
        ((status, problem),) = answers(connection, 1)
    assert (status, problem["code"]) == (413, "payload_too_large")


def test_a_head_without_an_end_is_cut_off(web: WebServer) -> None:
    with connected(web) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 200_000)
        received = b""
        with suppress(ConnectionResetError):  # the rest of what we sent was not read
            while part := connection.recv(65536):
                received += part
    assert not received or received.startswith(b"HTTP/1.1 400")
    assert httpx.get(f"{web.url.replace('localhost', '127.0.0.1')}/healthz").status_code == 200


@pytest.fixture
def patient_with_none(web: WebServer, open_for_business: Tenant) -> Iterator[WebServer]:
    """A server that waits for a body for one second."""
    server = WebServer(web.database_url, web.log, environment={"INGESTION_BODY_SECONDS": "1"})
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_a_body_that_never_ends_is_given_up(patient_with_none: WebServer) -> None:
    with connected(patient_with_none) as connection:
        connection.sendall(request("slow")[:-1])
        ((status, problem),) = answers(connection, 1)
        assert (status, problem["code"]) == (408, "body_timeout")
        assert connection.recv(1) == b""
    assert not UsageEvent.objects.exists()


def test_a_body_that_never_begins_is_given_up(patient_with_none: WebServer) -> None:
    with connected(patient_with_none) as connection:
        connection.sendall(head(10))
        ((status, problem),) = answers(connection, 1)
        assert (status, problem["code"]) == (408, "body_timeout")
        assert connection.recv(1) == b""


def form(path: str, length: int, more: str = "") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: acme.localhost\r\nContent-Length: {length}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\n{more}\r\n"
    ).encode()


def test_who_sends_no_body_takes_no_thread(web: WebServer, open_for_business: Tenant) -> None:
    server = WebServer(web.database_url, web.log, workers=1, environment={"WEB_THREADS": "2"})
    try:
        server.start()
        with ExitStack() as open_ones:
            for _ in range(4):
                open_ones.enter_context(connected(server)).sendall(form("/admin/login/", 10) + b"a=")
            for path in ("/healthz", "/api/v1/customers/chat"):
                headers = {"Authorization": f"Bearer {KEYS['acme']}"}
                response = httpx.get(f"http://127.0.0.1:{server.port}{path}", headers=headers, timeout=5)
                assert response.status_code == 200
    finally:
        server.stop()


def test_a_form_that_never_ends_is_given_up(patient_with_none: WebServer) -> None:
    with connected(patient_with_none) as connection:
        connection.sendall(form("/admin/login/", 10) + b"a=")
        ((status, problem),) = answers(connection, 1)
        assert (status, problem["code"]) == (408, "body_timeout")
        assert connection.recv(1) == b""


def test_a_form_that_is_too_large_is_refused_before_it_comes(web: WebServer) -> None:
    with connected(web) as connection:
        connection.sendall(form("/admin/login/", 6 * 1024 * 1024))
        ((status, problem),) = answers(connection, 1)
        assert (status, problem["code"]) == (413, "payload_too_large")
        assert connection.recv(1) == b""


def test_a_file_arrives_whole(web: WebServer, open_for_business: Tenant) -> None:
    """Larger than other bodies may be; there the form of the login asks for a token as it does for a small one."""
    url = f"http://127.0.0.1:{web.port}/admin/login/"
    for size in (10, 12 * 1024 * 1024):
        response = httpx.post(
            url, headers={"Host": "acme.localhost"}, files={"file": b"x" * size}, data={"username": "u"}
        )
        assert (response.status_code, "CSRF" in response.text) == (403, True)


def test_limits_can_be_wider(web: WebServer, open_for_business: Tenant) -> None:
    wider = {"INGESTION_MAX_EVENTS": "20000", "INGESTION_MAX_BYTES": str(8 * 1024 * 1024)}
    server = WebServer(web.database_url, web.log, environment=wider)
    events = [an_event(f"e{number}") for number in range(12_000)]
    body = json.dumps({"events": events}).encode()
    headers = {"Authorization": f"Bearer {KEYS['acme']}"}
    try:
        server.start()
        with httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}/api/v1", headers=headers, timeout=60
        ) as client:
            assert client.post("/events", content=body).json()["accepted"] == 12_000
            # By the site's own view, in chunks and compressed.
            halves = (part for part in [gzip.compress(body), gzip.compress(b" " * 10**6)])
            twice = [*headers.items(), ("X-Twice", "1"), ("X-Twice", "2"), ("Content-Encoding", "gzip")]
            response = client.post("/events", content=halves, headers=twice)
            assert response.json()["duplicates"] == 12_000, response.text[:300]
    finally:
        server.stop()
