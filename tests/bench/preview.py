"""Milliseconds of POST /prices/preview for a graduated price: one client, one request after the other."""

import http.client
import json
import statistics
import time

from tests.bench import web

REQUESTS = 2_000
WARM_UP = 200
AIM_MS = 5.0

BODY = {
    "currency": "USD",
    "quantity": "1500",
    "price": {
        "model": "graduated",
        "tiers": [
            {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "0"},
            {"up_to": None, "unit_amount": "0.005"},
        ],
    },
}


def measure(*, key: str) -> None:
    body = json.dumps(BODY).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with web.server(workers=1, threads=1) as web_server:
        connection = http.client.HTTPConnection("127.0.0.1", web_server.port, timeout=60)
        seen = [
            one(connection, "POST", "/api/v1/prices/preview", body, headers)
            for _ in range(WARM_UP + REQUESTS)
        ]
        empty = [one(connection, "GET", "/healthz", b"", {}) for _ in range(WARM_UP + REQUESTS)]
    median = statistics.median(seen[WARM_UP:])
    print(
        f"\nPreview: {REQUESTS:,} requests of a graduated price, one client, one web process; from the request sent"
        " to the answer read.\n"
    )
    print(f"{'':>16} {'p50':>9} {'p99':>9}")
    for name, milliseconds in (("prices/preview", seen), ("healthz beside", empty)):
        ordered = sorted(milliseconds[WARM_UP:])
        print(f"{name:>16} {statistics.median(ordered):>7.2f}ms {ordered[int(len(ordered) * 0.99)]:>7.2f}ms")
    verdict = "under" if median < AIM_MS else "OVER"
    print(f"\nmedian of a preview            {median:.2f} ms ({verdict} the {AIM_MS:.0f} ms aimed at)")


def one(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
) -> float:
    began = time.perf_counter()
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    elapsed = time.perf_counter() - began
    if response.status != 200 or (body and json.loads(answer)["amount"] != "12.50"):
        raise SystemExit(f"A request failed: {response.status} {answer[:300]!r}")
    return 1000 * elapsed
