"""Several clients at once, each with a connection of its own, sharing one stack of batches."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from apps.demo.api import Endpoint
from apps.demo.tally import Tally

Listener = Callable[[Tally], None]


def send(
    *,
    endpoint: Endpoint,
    batches: Iterator[list[dict[str, Any]]],
    clients: int,
    tally: Tally,
    listen: Listener,
) -> None:
    """Send every batch and add up the answers. The first failure ends all clients and is raised."""
    turn = threading.Lock()
    stop = threading.Event()

    def work() -> None:
        with endpoint.connect(stop) as api:
            while not stop.is_set():
                with turn:
                    batch = next(batches, None)
                if batch is None:
                    return
                answer = api.report(batch)
                with turn:
                    tally.add(answer)
                    listen(tally)

    with ThreadPoolExecutor(clients) as pool:
        try:
            for done in as_completed([pool.submit(work) for _ in range(clients)]):
                done.result()
        finally:
            # Also for Ctrl-C: nobody goes on waiting for a server that is away.
            stop.set()
