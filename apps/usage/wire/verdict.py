"""What ingestion answers for each event."""

from collections.abc import Sequence
from typing import Any, overload

import msgspec


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What became of one event of the batch. `code`, `param` and `message` are empty when there is nothing to tell."""

    index: int
    id: str | None
    status: str
    code: str = ""
    param: str = ""
    message: str = ""


class AllAccepted(Sequence[Verdict]):
    """The verdicts on events (`WireEvent`s or decoded JSON) that are accepted, each of them.

    They are made only when somebody looks at one.
    """

    __slots__ = ("events", "start")

    def __init__(self, events: Sequence[Any], start: int = 0) -> None:
        self.events = events
        self.start = start

    def __len__(self) -> int:
        return len(self.events)

    @overload
    def __getitem__(self, at: int) -> Verdict: ...
    @overload
    def __getitem__(self, at: slice) -> "AllAccepted": ...
    def __getitem__(self, at: int | slice) -> "Verdict | AllAccepted":
        if isinstance(at, slice):
            start, _, step = at.indices(len(self.events))
            assert step == 1, "verdicts are taken in their order"
            return AllAccepted(self.events[at], self.start + start)
        number = range(len(self.events))[at]
        event = self.events[number]
        return Verdict(self.start + number, event["id"] if isinstance(event, dict) else event.id, "accepted")
