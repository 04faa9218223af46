"""Send traces through the HTTP API as the usage of one day, so that sending them again changes nothing.

An event's content must be the same in every run, and its time depends on where the hour was placed, which
may have depended on the clock. So the first event goes first, in a request of its own, and carries the
window in a property; every later run asks for that event and follows it. The last event goes last, after
everything else has been acknowledged: it says that the replay is complete.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from apps.demo.api import Api, Endpoint
from apps.demo.placement import Window, window_on
from apps.demo.replays import WINDOW_PROPERTY, Replay
from apps.demo.services.send import Listener, send
from apps.demo.tally import TAKEN, Tally

MOST_EVENTS = 1000


class ReplayError(Exception):
    """A replay could not begin. The message is for people."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the events are sent; what arrives is the same in any manner. `shuffle` is a seed."""

    batch_size: int = MOST_EVENTS
    clients: int = 1
    shuffle: int | None = None


def replay(
    *, endpoint: Endpoint, replays: Sequence[Replay], manner: Manner, listen: Listener = lambda tally: None
) -> Tally:
    """Send everything and return the verdicts. Raises ReplayError, ApiError, FutureDayError.

    When an event was not taken, the last one of each replay is held back, since the replay is not complete.
    """
    tally = Tally(total=sum(one.count for one in replays))
    with endpoint.connect() as api:
        windows = [open_replay(api, one, tally) for one in replays]
    middle = [
        (one, window, number)
        for one, window in zip(replays, windows, strict=True)
        for number in range(2, one.count)
    ]
    if manner.shuffle is not None:
        random.Random(manner.shuffle).shuffle(middle)
    size = manner.batch_size
    batches = (
        [one.event(number, window) for one, window, number in middle[start : start + size]]
        for start in range(0, len(middle), size)
    )
    send(endpoint=endpoint, batches=batches, clients=manner.clients, tally=tally, listen=listen)
    if tally.is_clean:
        with endpoint.connect() as api:
            for one, window in zip(replays, windows, strict=True):
                if one.count > 1:
                    tally.add(api.report([one.event(one.count, window)]))
    return tally


def is_complete(api: Api, one: Replay) -> bool:
    """Whether a run has brought every event of the replay in."""
    return api.event(one.last_id) is not None


def open_replay(api: Api, one: Replay, tally: Tally) -> Window:
    """Settle the window by getting the first event in. Of two runs at once the second follows the first."""
    answer: dict[str, Any] = {}
    for _ in range(2):
        window = settled_window(api, one) or window_on(one.day, api.now(one.customer))
        answer = api.report([one.event(1, window)])
        if any(answer[verdict] for verdict in TAKEN):
            tally.add(answer)
            return window
    raise ReplayError(f"{one.first_id} was not taken: {answer['results'][0]['message']}")


def settled_window(api: Api, one: Replay) -> Window | None:
    """The window that an earlier run has chosen, read off its first event."""
    first = api.event(one.first_id)
    if first is None:
        return None
    try:
        return Window.parse(first["properties"][WINDOW_PROPERTY])
    except (KeyError, ValueError) as error:
        raise ReplayError(f"{one.first_id} exists but does not come from a replay.") from error


def usage_of_day(api: Api, one: Replay) -> dict[str, Any]:
    """The customer's totals of the day as the API reports them, other usage included."""
    start = datetime.combine(one.day, time(), UTC)
    meters = api.usage(one.customer, start, start + timedelta(days=1))
    return {"customer": one.customer, "day": one.day.isoformat(), "meters": meters}
