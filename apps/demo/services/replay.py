"""Send traces through the HTTP API as the usage of one day, so that sending them again changes nothing.

An event's content must be the same in every run, and its time depends on where the hour was placed, which
may have depended on the clock. So the first event goes first, in a request of its own, and carries the
window in a property; every later run asks for that event and follows it. The last event goes last, after
everything else has been acknowledged: it says that the replay is complete.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Any

from apps.demo.api import Api, Endpoint
from apps.demo.placement import Window, window_on
from apps.demo.traces import Call

EVENT_NAME = "llm.call"
WINDOW_PROPERTY = "replay_window"
MOST_EVENTS = 1000
TAKEN = ("accepted", "duplicates")
NOT_TAKEN = ("conflicts", "quarantined", "rejected")
SHOWN_REFUSALS = 5


class ReplayError(Exception):
    """A replay could not begin. The message is for people."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Calls that become one customer's usage of one day. `name` and `day` are in the events' ids."""

    name: str
    customer: str
    model: str
    calls: Sequence[Call]
    day: date

    def event_id(self, number: int) -> str:
        """Numbers count from 1."""
        return f"{self.name}-{self.day.isoformat()}-{number:05d}"

    @property
    def last_id(self) -> str:
        return self.event_id(len(self.calls))

    def event(self, number: int, window: Window) -> dict[str, Any]:
        call = self.calls[number - 1]
        properties: dict[str, Any] = {
            "input_tokens": call.input_tokens,
            "output_tokens": call.output_tokens,
            "model": self.model,
        }
        if number == 1:
            properties[WINDOW_PROPERTY] = str(window)
        return {
            "id": self.event_id(number),
            "event": EVENT_NAME,
            "customer": self.customer,
            "timestamp": window.place(call.at).astimezone(UTC).isoformat(),
            "properties": properties,
        }


@dataclass(slots=True)
class Tally:
    """The verdicts so far, and the first few that were not good news."""

    total: int
    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    quarantined: int = 0
    rejected: int = 0
    refusals: list[dict[str, Any]] = field(default_factory=list)
    started: float = field(default_factory=monotonic)
    seconds: float = 0

    def add(self, answer: dict[str, Any]) -> None:
        for name in (*TAKEN, *NOT_TAKEN):
            setattr(self, name, getattr(self, name) + answer[name])
        for result in answer["results"]:
            if result["status"] not in ("accepted", "duplicate") and len(self.refusals) < SHOWN_REFUSALS:
                self.refusals.append(result)
        self.seconds = monotonic() - self.started

    @property
    def sent(self) -> int:
        return sum(getattr(self, name) for name in (*TAKEN, *NOT_TAKEN))

    @property
    def is_clean(self) -> bool:
        return not any(getattr(self, name) for name in NOT_TAKEN)

    @property
    def per_second(self) -> int:
        return round(self.sent / self.seconds) if self.seconds else 0


@dataclass(frozen=True, slots=True)
class Manner:
    """How the events are sent; what arrives is the same in any manner. `shuffle` is a seed."""

    batch_size: int = MOST_EVENTS
    clients: int = 1
    shuffle: int | None = None


Listener = Callable[[Tally], None]


def replay(
    *, endpoint: Endpoint, replays: Sequence[Replay], manner: Manner, listen: Listener = lambda tally: None
) -> Tally:
    """Send everything and return the verdicts. Raises ReplayError, ApiError, FutureDayError.

    When an event was not taken, the last one of each replay is held back, since the replay is not complete.
    """
    tally = Tally(total=sum(len(one.calls) for one in replays))
    with endpoint.connect() as api:
        windows = [open_replay(api, one, tally) for one in replays]
    middle = [
        (one, window, number)
        for one, window in zip(replays, windows, strict=True)
        for number in range(2, len(one.calls))
    ]
    if manner.shuffle is not None:
        random.Random(manner.shuffle).shuffle(middle)
    size = manner.batch_size
    batches = (
        [one.event(number, window) for one, window, number in middle[start : start + size]]
        for start in range(0, len(middle), size)
    )
    send(endpoint, batches, clients=manner.clients, tally=tally, listen=listen)
    if tally.is_clean:
        with endpoint.connect() as api:
            for one, window in zip(replays, windows, strict=True):
                if len(one.calls) > 1:
                    tally.add(api.report([one.event(len(one.calls), window)]))
    listen(tally)
    return tally


def is_complete(api: Api, one: Replay) -> bool:
    """Whether a run has brought every event of the replay in."""
    return api.event(one.last_id) is not None


def open_replay(api: Api, one: Replay, tally: Tally) -> Window:
    """Settle the window by getting the first event in. Of two runs at once the second follows the first."""
    for _ in range(2):
        window = settled_window(api, one) or window_on(one.day, api.now(one.customer))
        answer = api.report([one.event(1, window)])
        if any(answer[name] for name in TAKEN):
            tally.add(answer)
            return window
        if not answer["conflicts"]:
            break
    raise ReplayError(f"{one.event_id(1)} was not taken: {answer['results'][0]['message']}")


def settled_window(api: Api, one: Replay) -> Window | None:
    """The window that an earlier run has chosen, read off its first event."""
    first = api.event(one.event_id(1))
    if first is None:
        return None
    try:
        return Window.parse(first["properties"][WINDOW_PROPERTY])
    except (KeyError, ValueError) as error:
        raise ReplayError(f"{one.event_id(1)} exists but does not come from a replay.") from error


def send(
    endpoint: Endpoint,
    batches: Iterator[list[dict[str, Any]]],
    *,
    clients: int,
    tally: Tally,
    listen: Listener,
) -> None:
    """Let `clients` threads share the batches, each over a connection of its own. The first failure ends all."""
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
            stop.set()


def usage_of_day(api: Api, one: Replay) -> dict[str, Any]:
    """The customer's totals of the day as the API reports them, other usage included."""
    start = datetime.combine(one.day, time(), UTC)
    meters = api.usage(one.customer, start, start + timedelta(days=1))
    return {"customer": one.customer, "day": one.day.isoformat(), "meters": meters}
