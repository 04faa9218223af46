"""The calls of a trace as usage events of one day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any

from apps.demo.placement import Window
from apps.demo.traces import Call, Trace

EVENT_NAME = "llm.call"
# The first event of a replay carries its window, so that every later run places the calls alike.
WINDOW_PROPERTY = "replay_window"


@dataclass(frozen=True, slots=True)
class Replay:
    """Calls that become one customer's usage of one day. `name` and `day` are in the ids: two days are two facts."""

    name: str
    customer: str
    model: str
    calls: Sequence[Call]
    day: date

    @classmethod
    def of(cls, trace: Trace, *, customer: str, day: date, calls: int | None = None) -> "Replay":
        """The first `calls` calls of a trace, all of them when None."""
        return cls(trace.name, customer, trace.model, list(islice(trace.calls(), calls)), day)

    def event_id(self, number: int) -> str:
        """Numbers count from 1."""
        return f"{self.name}-{self.day.isoformat()}-{number:05d}"

    @property
    def first_id(self) -> str:
        return self.event_id(1)

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
            "timestamp": window.place(call.at).isoformat(),
            "properties": properties,
        }
