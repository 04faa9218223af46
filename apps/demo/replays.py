"""The calls of a trace as usage events of one day."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import islice
from typing import Any

from apps.demo.placement import Window
from apps.demo.traces import Call, Trace

EVENT_NAME = "llm.call"
# The first event of a replay carries its window, so that every later run places the calls alike.
WINDOW_PROPERTY = "replay_window"


@dataclass(frozen=True)
class Replay:
    """A trace as one customer's usage of one day. Both are in the ids: another day is another fact.

    `limit` takes the first calls only.
    """

    trace: Trace
    customer: str
    day: date
    limit: int | None = None

    @cached_property
    def calls(self) -> list[Call]:
        return list(islice(self.trace.calls(), self.limit))

    @property
    def count(self) -> int:
        """How many calls there are, known without reading them."""
        return self.trace.count if self.limit is None else min(self.limit, self.trace.count)

    def event_id(self, number: int) -> str:
        """Numbers count from 1."""
        return f"{self.trace.name}-{self.day.isoformat()}-{number:05d}"

    @property
    def first_id(self) -> str:
        return self.event_id(1)

    @property
    def last_id(self) -> str:
        return self.event_id(self.count)

    def event(self, number: int, window: Window) -> dict[str, Any]:
        call = self.calls[number - 1]
        properties: dict[str, Any] = {
            "input_tokens": call.input_tokens,
            "output_tokens": call.output_tokens,
            "model": self.trace.model,
        }
        if number == 1:
            properties[WINDOW_PROPERTY] = str(window)
        return {
            "id": self.event_id(number),
            "event": EVENT_NAME,
            "customer": self.customer,
            "timestamp": window.place(call.at).isoformat(),
            "properties": properties,
        }
