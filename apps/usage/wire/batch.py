"""What a request brought: the events to take in, those that could not even be read, and what its words are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from apps.core.api.parsers import TooLarge
from apps.core.errors import Invalid


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where event number `index` stands in the body, and what our fields are called there."""

    place: str
    names: Mapping[str, str] = field(default_factory=dict)

    def pointer(self, index: int, param: str) -> str:
        """`param` points into an event of ours, like `/customer` or `/properties/model`."""
        name, slash, rest = param[1:].partition("/")
        if name in self.names:
            param = f"/{self.names[name]}{slash}{rest}"
        return self.place.format(index=index) + param


NATIVE = Dialect("/events/{index}")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event that ingestion can't be shown. `param` is relative to the event and in the sender's words."""

    index: int
    event_id: str | None
    code: str
    param: str
    message: str


@dataclass(slots=True)
class Batch:
    """`events` holds `WireEvent`s, or whatever stood in their place. With the unreadable ones between them, they
    have the order of the body."""

    events: list[Any]
    unreadable: list[Unreadable] = field(default_factory=list)
    dialect: Dialect = NATIVE

    @property
    def size(self) -> int:
        return len(self.events) + len(self.unreadable)

    def positions(self) -> list[int]:
        """For each of `events` its number in the body."""
        gaps = {one.index for one in self.unreadable}
        return [index for index in range(self.size) if index not in gaps]


def refuse_count(count: int) -> None:
    """Before events are looked at one by one: a body may hold half a million of nothing."""
    if not count:
        raise Invalid("invalid_body", "The list of events is empty.", param="/events")
    if count > settings.INGESTION_MAX_EVENTS:
        raise TooLarge(
            "too_many_events",
            f"A request takes at most {settings.INGESTION_MAX_EVENTS} events, not {count}; none was stored.",
            param="/events",
        )
