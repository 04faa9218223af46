"""Load clients: processes that send prepared bodies over kept connections, one request on each at a time.

Written on bare sockets, since client, server and PostgreSQL share two cores: what the client costs, the others
lack. Bounded in number and in time.
"""

import itertools
import multiprocessing
import select
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# Nothing that is measured takes so long; a server that hangs must not hang the benchmark.
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Sent:
    """`seconds` from the common start to the last answer; `latencies` of each request in seconds, sorted."""

    accepted: int
    seconds: float
    latencies: list[float]

    def percentile_ms(self, share: float) -> float:
        return 1000 * self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)]


@dataclass(slots=True)
class Pattern:
    """Batches that differ in their ids alone: made once, numbered while they are sent, so that they cost little.

    `bodies` have a `%016x` for each of their `size` ids.
    """

    bodies: Sequence[bytes]
    size: int
    first_id: int

    def requests(self, key: str, seconds: float) -> Iterator[bytes]:
        end = time.perf_counter() + seconds
        number = self.first_id
        for body in itertools.cycle(self.bodies):
            if time.perf_counter() > end:
                break
            yield request_of(body % tuple(range(number, number + self.size)), key)
            number += self.size


def send_all(
    *,
    port: int,
    key: str,
    bodies: Sequence[bytes],
    processes: int,
    connections: int,
    pace: float | None = None,
) -> Sent:
    """Send each body once, over so many connections in all. With `pace` so many requests a second, due at even
    distances whether answers come or not; a latency counts from when the request was due.
    """
    requests = [request_of(body, key) for body in bodies]
    return together(
        [
            Share(port, requests[number::processes], connections // processes, pace and pace / processes)
            for number in range(processes)
        ]
    )


def send_for(*, port: int, key: str, seconds: float, patterns: Sequence[Pattern], connections: int) -> Sent:
    """Send as fast as answers come, for so long; a process for each pattern."""
    return together(
        [Share(port, one.requests(key, seconds), connections // len(patterns), None) for one in patterns]
    )


def together(shares: "list[Share]") -> Sent:
    """Each share in a process of its own, from a common start."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    gate = context.Barrier(len(shares) + 1)
    workers = [context.Process(target=send, args=(share, gate, results)) for share in shares]
    for worker in workers:
        worker.start()
    gate.wait()
    started = time.perf_counter()
    answers: list[Any] = [results.get() for _ in workers]
    seconds = time.perf_counter() - started
    for worker in workers:
        worker.join()
    failed = [answer for answer in answers if isinstance(answer, str)]
    if failed:
        raise SystemExit(f"A request failed: {failed[0]}")
    return Sent(
        accepted=sum(accepted for accepted, _ in answers),
        seconds=seconds,
        latencies=sorted(latency for _, latencies in answers for latency in latencies),
    )


def request_of(body: bytes, key: str) -> bytes:
    head = (
        "POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(frozen=True, slots=True)
class Share:
    """What one of the processes has to send."""

    port: int
    requests: Iterable[bytes]
    connections: int
    pace: float | None


def send(share: Share, gate: Any, results: Any) -> None:
    lines = [socket.create_connection(("127.0.0.1", share.port)) for _ in range(share.connections)]
    for line in lines:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    gate.wait()
    try:
        results.put(converse(lines, iter(share.requests), share.pace))
    except RuntimeError as error:
        results.put(str(error))


def converse(
    lines: list[socket.socket], requests: Iterator[bytes], pace: float | None
) -> tuple[int, list[float]]:
    """Raises `RuntimeError` at an answer other than 200, and when answers stay away."""
    poll = select.epoll()
    by_number = {line.fileno(): line for line in lines}
    idle = deque(by_number.values())
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    began: dict[int, float] = {}
    parts: dict[int, bytes] = dict.fromkeys(by_number, b"")
    accepted, latencies = 0, []
    due = time.perf_counter()
    request = next(requests, None)
    while request or began:
        now = time.perf_counter()
        while request and idle and (pace is None or due <= now):
            line = idle.popleft()
            began[line.fileno()] = now if pace is None else due
            line.sendall(request)
            request = next(requests, None)
            if pace:
                due += 1 / pace
        wait = max(0.0, due - time.perf_counter()) if pace and request and idle else PATIENCE_SECONDS
        ready = poll.poll(wait)
        if not ready and wait == PATIENCE_SECONDS:
            raise RuntimeError("no answer for two minutes")
        for number, _ in ready:
            parts[number] += by_number[number].recv(65536)
            count = accepted_in(parts[number])
            if count is not None:
                latencies.append(time.perf_counter() - began.pop(number))
                accepted += count
                parts[number] = b""
                idle.append(by_number[number])
    return accepted, latencies


def accepted_in(answer: bytes) -> int | None:
    """How many events a complete answer accepts; None while it is incomplete."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not answer:
        raise RuntimeError("the server closed the connection")
    if not separator:
        return None
    at = head.lower().index(b"content-length:") + len(b"content-length:")
    if len(body) < int(head[at:].partition(b"\r\n")[0]):
        return None
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{head[:40]!r} {body[:300]!r}")
    return int(body.partition(b'"accepted":')[2].partition(b",")[0])
