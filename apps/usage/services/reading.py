"""From events as they came to rows as they are stored, one by one: those that `services.columns` leaves over.

Most events look like the ones before them. `read_fast` takes those at a few microseconds each: it looks up the
customer and the shape in memory, and goes over the properties in C. It takes nothing that it does not know and
judges nothing: whatever is new, unusual or wrong it leaves to the careful way in `services.settle`, which gives
the same row for the same event.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from apps.usage.identity import content_of
from apps.usage.services.memory import KnownShape, Memory, Shape, ShapeReading
from apps.usage.services.validate import (
    EPOCH,
    ESCAPED_NUL,
    MAX_ID,
    MAX_PROPERTIES,
    MAX_VALUE,
    Rejection,
    check_storable,
    metered_value,
    micros_of,
)
from apps.usage.wire.event import WireEvent

PLAIN = frozenset({str, int, bool, Decimal})
DAY, SECOND = 86_400_000_000, 1_000_000
LONGEST = len("2026-11-20T10:00:00.123456+00:00")

new_row = tuple.__new__
values_json = msgspec.json.Encoder(decimal_format="number").encode


class Row(NamedTuple):
    """An event that counts, as it is stored. `micros` are since 1970; `values` are what its readings read."""

    key: bytes
    content: int
    micros: int
    customer_id: int
    shape: Shape
    event_id: bytes
    property_values: bytes
    values: tuple[int | Decimal | str, ...]
    position: int


class Unusual(Exception):
    """The quick way does not take this event."""


def read_fast(
    events: Sequence[Any],
    memory: Memory,
    *,
    now: datetime,
    earliest: int,
    latest: int,
    positions: Iterable[int] | None = None,
) -> tuple[list[Row], list[int]]:
    """The rows of the events that can be read quickly, and the places of the others. Bounds in microseconds.

    Of all events, or of those at some `positions`.
    """
    rows: list[Row] = []
    left: list[int] = []
    now_micros = micros_of(now)
    for position in range(len(events)) if positions is None else positions:
        event = events[position]
        try:
            micros = now_micros if event.timestamp is None else quick_micros(event.timestamp)
            if not earliest <= micros <= latest:
                raise Unusual
            rows.append(read_one(event, memory, micros, position))
        # Plain JSON values are no events, and what is unknown is in no dictionary.
        except (Unusual, Rejection, AttributeError, KeyError, TypeError, UnicodeEncodeError):
            left.append(position)
    return rows, left


def read_one(event: WireEvent, memory: Memory, micros: int, position: int) -> Row:
    """Raises whatever comes of an event that is not like those before it."""
    properties = event.properties
    if properties is None or len(properties) > MAX_PROPERTIES:
        raise Unusual
    # Nulls and structures take the careful way.
    types = set(map(type, properties.values()))
    if not types <= PLAIN:
        raise Unusual
    if Decimal in types:
        check_storable(properties, "/properties")
    plan = memory.plans[event.event]
    source = event.source or ""
    known = plan.shapes[source, tuple(properties), tuple(map(properties.get, plan.fixed_names))]
    id_bytes = event.id.encode()
    every_value = values_json(known.every_value(properties))
    if not 0 < len(event.id) <= MAX_ID or b"\0" in id_bytes or ESCAPED_NUL in every_value:
        raise Unusual
    return new_row(
        Row,
        (
            blake2b(b"%b\0%b" % (source.encode(), id_bytes), digest_size=16).digest(),
            content_of(
                event_name=event.event,
                customer=event.customer,
                timestamp=None if event.timestamp is None else micros,
                names=known.names,
                values=every_value,
            ),
            micros,
            memory.customers[event.customer],
            known.shape,
            id_bytes,
            values_json(known.stored_values(properties)),
            read_values(known, properties),
            position,
        ),
    )


def read_values(known: KnownShape, properties: dict[str, Any]) -> tuple[int | Decimal | str, ...]:
    if known.is_simple:
        values = known.read_values(properties)
        for value in values:
            if type(value) is not int or not 0 <= value < MAX_VALUE:
                break
        else:
            return values
    if not known.shape.is_plain:
        raise Unusual
    return tuple(read_value(reading, properties) for reading in known.shape.readings)


def read_value(reading: ShapeReading, properties: dict[str, Any]) -> int | Decimal | str:
    if reading.name is None:
        return 1
    value = properties[reading.name]
    if reading.is_text:
        # Another value is told apart by its text, which the careful way stores beside it.
        if type(value) is not str:
            raise Unusual
        return value
    number = metered_value(value, reading.name)
    if number is None:
        raise Unusual
    return number


def quick_micros(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 timestamp in its usual forms.

    Digits beyond microseconds would be cut off here as they are in `validate.parse_timestamp`.
    """
    try:
        if (
            text[4:17:3] != "--T::"
            or text[19] not in ".Z+-"
            or (text[-1] != "Z" and (text[-6] not in "+-" or text[-3] != ":"))
            or len(text) > LONGEST
            or not text.isascii()
        ):
            raise Unusual
        since = datetime.fromisoformat(text) - EPOCH
    except (IndexError, ValueError, OverflowError) as error:
        raise Unusual from error
    return since.days * DAY + since.seconds * SECOND + since.microseconds
