"""From events as they came to rows as they are stored: the one loop over the events of a batch.

Most events look like the ones before them. `read_fast` takes those at a few microseconds each: it looks up the
customer and the shape in memory, and goes over the properties in C. It takes nothing that it does not know and
judges nothing: whatever is new, unusual or wrong it leaves to the careful way in `services.settle`, which gives
the same row for the same event.
"""

from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from apps.usage.identity import content_of
from apps.usage.services.memory import Memory, Shape
from apps.usage.services.validate import (
    ESCAPED_NUL,
    MAX_ID,
    MAX_PROPERTIES,
    MAX_VALUE,
    Rejection,
    canonical_json,
    check_storable,
    metered_value,
    micros_of,
)
from apps.usage.wire.event import WireEvent

PLAIN = frozenset({str, int, bool, Decimal})
RFC3339_LENGTHS = frozenset(range(len("2026-11-20T10:00:00Z"), len("2026-11-20T10:00:00.123456+00:00") + 1))

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


def read_fast(
    events: list[Any], memory: Memory, *, now: datetime, earliest: int, latest: int
) -> tuple[list[Row], list[int]]:
    """The rows of the events that can be read quickly, and the places of the others. Bounds in microseconds."""
    rows: list[Row] = []
    left: list[int] = []
    plans, customers = memory.plans, memory.customers
    now_micros = micros_of(now)
    for index, event in enumerate(events):
        if type(event) is not WireEvent or event.properties is None:
            left.append(index)
            continue
        plan = plans.get(event.event)
        customer_id = customers.get(event.customer)
        if plan is None or customer_id is None:
            left.append(index)
            continue
        properties = event.properties
        # Nulls and structures take the careful way; so do texts that can't be stored, below.
        types = set(map(type, properties.values()))
        if not types <= PLAIN or len(properties) > MAX_PROPERTIES:
            left.append(index)
            continue
        source = event.source or ""
        shape = plan.shapes.get((source, tuple(properties), tuple(map(properties.get, plan.fixed_names))))
        if shape is None:
            left.append(index)
            continue
        event_id = event.id
        given = event.timestamp
        if given is None:
            micros = now_micros
        else:
            micros = quick_micros(given)
            if not earliest <= micros <= latest:
                left.append(index)
                continue
        try:
            if Decimal in types:
                check_storable(properties, "/properties")
            id_bytes = event_id.encode()
            properties_json = canonical_json(properties)
            values = values_of(shape, properties)
            stored = values_json([properties[name] for name in shape.names])
        except (UnicodeEncodeError, Rejection, Unusual):
            left.append(index)
            continue
        if not 0 < len(event_id) <= MAX_ID or "\0" in event_id or ESCAPED_NUL in properties_json:
            left.append(index)
            continue
        rows.append(
            Row(
                blake2b(b"%b\0%b" % (source.encode(), id_bytes), digest_size=16).digest(),
                content_of(
                    event_name=event.event,
                    customer=event.customer,
                    timestamp=None if given is None else micros,
                    properties=properties_json,
                ),
                micros,
                customer_id,
                shape,
                id_bytes,
                stored,
                values,
                index,
            )
        )
    return rows, left


class Unusual(Exception):
    """A value that the quick way does not take."""


def values_of(shape: Shape, properties: dict[str, Any]) -> tuple[int | Decimal | str, ...]:
    if not shape.is_plain:
        raise Unusual
    values: list[int | Decimal | str] = []
    for reading in shape.readings:
        if reading.name is None:
            values.append(1)
            continue
        value = properties[reading.name]
        if type(value) is int and 0 <= value < MAX_VALUE:
            values.append(value)
            continue
        number = value if reading.is_text else metered_value(value, reading.name)
        if number is None:
            raise Unusual
        values.append(number)
    return tuple(values)


def quick_micros(text: str) -> int:
    """Microseconds since 1970 of an RFC 3339 timestamp in its usual forms; -1 for any other text.

    Digits beyond microseconds would be cut off here as they are in `validate.parse_timestamp`.
    """
    if (
        len(text) not in RFC3339_LENGTHS
        or text[4] != "-"
        or text[7] != "-"
        or text[10] != "T"
        or text[13] != ":"
        or text[16] != ":"
        or text[19] not in ".Z+-"
        or not (text[-1] == "Z" or (text[-6] in "+-" and text[-3] == ":"))
        or not text.isascii()
    ):
        return -1
    try:
        return micros_of(datetime.fromisoformat(text))
    except (ValueError, OverflowError, TypeError):
        return -1
