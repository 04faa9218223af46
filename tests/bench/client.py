"""Load clients: processes that send prepared bodies over kept connections, bounded in number."""

import http.client
import multiprocessing
import time
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Sent:
    """`seconds` from the common start to the last answer; `latencies` of each request in seconds, sorted."""

    accepted: int
    seconds: float
    latencies: list[float]


def send_all(*, port: int, key: str, bodies: list[bytes], clients: int) -> Sent:
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    gate = context.Barrier(clients + 1)
    workers = [
        context.Process(target=send, args=(port, key, bodies[number::clients], gate, results))
        for number in range(clients)
    ]
    for worker in workers:
        worker.start()
    gate.wait()
    started = time.perf_counter()
    answers = [results.get() for _ in workers]
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


def send(port: int, key: str, bodies: list[bytes], gate, results) -> None:  # type: ignore[no-untyped-def]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    accepted, latencies = 0, []
    gate.wait()
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", "/api/v1/events", body, headers)
        response = connection.getresponse()
        answer = response.read()
        latencies.append(time.perf_counter() - began)
        if response.status != 200:
            results.put(f"{response.status} {answer[:300]!r}")
            return
        accepted += msgspec.json.decode(answer)["accepted"]
    results.put((accepted, latencies))
