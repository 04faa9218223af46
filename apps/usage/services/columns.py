"""From events as they came to columns as they are stored: a whole batch at a time.

Events of a batch are mostly alike. They are put together by shape, and each step is one pass in C over all of a
shape: a tenth of a microsecond where an event by itself takes one. Nothing is taken that is not known and nothing is
judged, as in `services.reading`, which gives the same row for the same event and takes what is left over here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec
from xxhash import xxh3_64_intdigest

from apps.usage.identity import MODULUS, SIGN
from apps.usage.services.memory import KnownShape, Memory, Shape
from apps.usage.services.reading import PLAIN, Row, Unusual, new_row, read_values
from apps.usage.services.validate import (
    EPOCH,
    ESCAPED_NUL,
    MAX_ID,
    MAX_PROPERTIES,
    MAX_VALUE,
    MICROSECOND,
    Rejection,
    check_storable,
    micros_of,
)

Values = tuple[int | Decimal | str, ...]

INT = {int}
UNREADABLE = (Unusual, Rejection, AttributeError, KeyError, TypeError, ValueError, OverflowError)

# A group costs about as much as so many events one by one.
WORTHWHILE = 8

lines_of = msgspec.json.Encoder(decimal_format="number").encode_lines

# The usual forms of RFC 3339, with each digit a zero. Others are left to whoever reads with patience.
ZEROS = bytes.maketrans(b"123456789", b"000000000")
FORMS = frozenset(
    b"0000-00-00T00:00:00" + fraction + zone
    for fraction in (b"", *(b"." + b"0" * digits for digits in range(1, 7)))
    for zone in (b"Z", b"+00:00", b"-00:00")
)


@dataclass(slots=True)
class Group:
    """Events of one shape, a list for each column. `positions` are their numbers in the batch."""

    shape: Shape
    positions: list[int]
    keys: list[bytes]
    contents: list[int]
    micros: list[int]
    customer_ids: list[int]
    event_ids: list[bytes]
    property_values: list[bytes]
    values: list[Values]

    def rows(self) -> Iterable[Row]:
        for key, content, micros, customer_id, event_id, stored, values, position in zip(
            self.keys,
            self.contents,
            self.micros,
            self.customer_ids,
            self.event_ids,
            self.property_values,
            self.values,
            self.positions,
            strict=True,
        ):
            yield new_row(
                Row, (key, content, micros, customer_id, self.shape, event_id, stored, values, position)
            )


@dataclass(slots=True)
class Columns:
    """All that a batch stores, in the order of keys."""

    keys: list[bytes]
    contents: list[int]
    micros: list[int]
    customer_ids: list[int]
    shape_ids: list[int]
    event_ids: list[bytes]
    property_values: list[bytes]

    @classmethod
    def of(cls, groups: Sequence[Group], rows: Sequence[Row]) -> "Columns | None":
        """Of groups and of rows besides. None when a key is there twice."""
        keys = joined((one.keys for one in groups), [row.key for row in rows])
        if len(set(keys)) < len(keys):
            return None
        order = sorted(range(len(keys)), key=keys.__getitem__)

        def ordered(parts: Iterable[list[Any]], more: list[Any]) -> list[Any]:
            return list(map(joined(parts, more).__getitem__, order))

        return cls(
            list(map(keys.__getitem__, order)),
            ordered((one.contents for one in groups), [row.content for row in rows]),
            ordered((one.micros for one in groups), [row.micros for row in rows]),
            ordered((one.customer_ids for one in groups), [row.customer_id for row in rows]),
            ordered(([one.shape.pk] * len(one.keys) for one in groups), [row.shape.pk for row in rows]),
            ordered((one.event_ids for one in groups), [row.event_id for row in rows]),
            ordered((one.property_values for one in groups), [row.property_values for row in rows]),
        )


def joined(parts: Iterable[list[Any]], more: list[Any]) -> list[Any]:
    found: list[Any] = []
    for part in parts:
        found += part
    return found + more


def read_columns(
    events: Sequence[Any], memory: Memory, *, now: datetime, earliest: int, latest: int
) -> tuple[list[Group], list[int]]:
    """The groups of the events that can be read together, and the places of the others. Bounds in microseconds."""
    if len(events) < WORTHWHILE:
        return [], list(range(len(events)))
    try:
        timed = Timed.of(events, now)
        if not earliest <= min(timed.micros) <= max(timed.micros) <= latest:
            return [], list(range(len(events)))
        by_shape, left = split(events, memory)
    except UNREADABLE:
        return [], list(range(len(events)))
    if len(by_shape) * WORTHWHILE > len(events):
        return [], list(range(len(events)))
    groups = []
    for alike in by_shape:
        try:
            groups.append(read_group(alike, timed, memory))
        except UNREADABLE:
            left += alike.positions
    return groups, sorted(left)


@dataclass(frozen=True, slots=True)
class Timed:
    """The events of a batch with the timestamps that they came with and when they were."""

    events: Sequence[Any]
    stamps: list[str | None]
    micros: list[int]

    @classmethod
    def of(cls, events: Sequence[Any], now: datetime) -> "Timed":
        stamps = [event.timestamp for event in events]
        return cls(events, stamps, micros_of_all(stamps, micros_of(now)))


@dataclass(frozen=True, slots=True)
class Alike:
    """The places of events that have a shape, a source and a name in common."""

    known: KnownShape
    source: str
    name: str
    positions: list[int]


def split(events: Sequence[Any], memory: Memory) -> tuple[list[Alike], list[int]]:
    """Put events together by what tells their shapes; those without a known one are left."""
    plans, nobody = memory.plans, memory.customers.keys()
    found: dict[tuple[Any, ...], list[int]] = {}
    left: list[int] = []
    for position, event in enumerate(events):
        properties = event.properties
        plan = plans.get(event.event)
        if plan is None or properties is None or event.customer not in nobody:
            left.append(position)
            continue
        key = event.event, event.source, tuple(properties), tuple(map(properties.get, plan.fixed_names))
        try:
            found.setdefault(key, []).append(position)
        except TypeError:  # a structure where a text is expected
            left.append(position)
    alike = []
    for (name, source, names, fixed), positions in found.items():
        known = plans[name].shapes.get((source or "", names, fixed))
        if known is None or len(names) > MAX_PROPERTIES:
            left += positions
        else:
            alike.append(Alike(known, source or "", name, positions))
    return alike, left


def read_group(alike: Alike, timed: Timed, memory: Memory) -> Group:
    """Raises one of `UNREADABLE` when the events can't be read together."""
    known, positions = alike.known, alike.positions
    events = [timed.events[position] for position in positions]
    properties = [event.properties for event in events]
    every = list(map(known.every_value, properties))
    types = set[type]().union(*(set(map(type, column)) for column in zip(*every, strict=True)))
    if not types <= PLAIN:
        raise Unusual
    if Decimal in types:
        for one in properties:
            check_storable(one, "/properties")
    written = lines_of(every)
    if ESCAPED_NUL in written:
        raise Unusual
    event_ids = ids_of(events)
    prefix = alike.source.encode() + b"\0"
    return Group(
        known.shape,
        positions,
        [blake2b(prefix + event_id, digest_size=16).digest() for event_id in event_ids],
        contents_of(alike, timed, written.split(b"\n")),
        [timed.micros[position] for position in positions],
        [memory.customers[event.customer] for event in events],
        event_ids,
        lines_of(list(map(known.stored_values, properties))).split(b"\n")[: len(events)],
        values_of(known, properties),
    )


def ids_of(events: Sequence[Any]) -> list[bytes]:
    ids = [event.id for event in events]
    lengths = list(map(len, ids))
    if not 0 < min(lengths) <= max(lengths) <= MAX_ID or "\0" in "".join(ids):
        raise Unusual
    return list(map(str.encode, ids))


def contents_of(alike: Alike, timed: Timed, written: list[bytes]) -> list[int]:
    """As `identity.content_of`; what comes before the values is written once for each customer."""
    heads: dict[str, bytes] = {}
    found = []
    for position, values in zip(alike.positions, written, strict=False):
        customer = timed.events[position].customer
        head = heads.get(customer)
        if head is None:
            head = heads[customer] = f"{alike.name}\0{customer}\0".encode() + alike.known.names
        seed = 0 if timed.stamps[position] is None else timed.micros[position]
        digest = xxh3_64_intdigest(head + values, seed)
        found.append(digest - MODULUS if digest >= SIGN else digest)
    return found


def values_of(known: KnownShape, properties: Sequence[dict[str, Any]]) -> list[Values]:
    if known.is_simple:
        values = list(map(known.read_values, properties))
        if all(is_plain_number(column) for column in zip(*values, strict=True)):
            return values
    return [read_values(known, one) for one in properties]


def is_plain_number(column: tuple[Any, ...]) -> bool:
    return set(map(type, column)) == INT and min(column) >= 0 and max(column) < MAX_VALUE


def micros_of_all(stamps: list[str | None], now: int) -> list[int]:
    """Microseconds since 1970 of RFC 3339 timestamps in their usual forms; `now` for those that have none."""
    given = [stamp for stamp in stamps if stamp is not None]
    if not given:
        return [now] * len(stamps)
    if not set("\n".join(given).encode("ascii").translate(ZEROS).split(b"\n")) <= FORMS:
        raise Unusual
    micros = [(instant - EPOCH) // MICROSECOND for instant in map(datetime.fromisoformat, given)]
    if len(given) == len(stamps):
        return micros
    following = iter(micros)
    return [now if stamp is None else next(following) for stamp in stamps]
