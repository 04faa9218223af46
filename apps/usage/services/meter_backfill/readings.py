"""Read a meter off past events, as ingestion would have, and store what was read with its totals."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.catalog.definitions import measurement_of
from apps.catalog.models import Meter
from apps.usage.services import rollups
from apps.usage.services.decide import Reading, readings_of
from apps.usage.services.memory import ADDITIVE, Memory, Shape, ShapeReading
from apps.usage.services.meter_backfill.scan import PastEvent
from apps.usage.services.pack import bigints, execute, instants, texts
from apps.usage.services.reading import Row
from apps.usage.services.rollups import mark
from apps.usage.services.shapes import Dimensions, number_dimensions
from apps.usage.services.validate import Rejection, micros_of

EXAMPLES = 20
# Customer, timestamp, id, shape.
EventPlace = tuple[int, datetime, str, int]
# Readings of events that are voided are stored too, so that nothing is missing when the void is taken back.
INSERT = """
WITH stored AS (
    INSERT INTO usage_backfilledreading
           (customer_id, "timestamp", meter_id, event_id, shape_id, dimension_set_id, value)
    SELECT customer_id, "timestamp", %s, event_id, shape_id, dimension_set_id, value
      FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[], %s::bigint[], %s::text[])
           AS batch(customer_id, "timestamp", event_id, shape_id, dimension_set_id, value)
        ON CONFLICT DO NOTHING
    RETURNING customer_id, "timestamp", event_id, shape_id
)
SELECT stored.*, EXISTS (SELECT FROM usage_voidedevent AS voided
                    WHERE voided.customer_id = stored.customer_id AND voided."timestamp" = stored."timestamp"
                      AND voided.event_id = stored.event_id AND voided.shape_id = stored.shape_id)
  FROM stored
"""


@dataclass(slots=True)
class Decided:
    """What a meter reads off some events. Where its value is no number live ingestion would have rejected them."""

    read: list[tuple[PastEvent, Reading]] = field(default_factory=list)
    skipped: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


def decide(meter: Meter, events: list[PastEvent]) -> Decided:
    """Pure: no database."""
    measurements = [measurement_of(meter)]
    found = Decided()
    for event in events:
        try:
            readings = readings_of(event.properties, measurements)
        except Rejection as rejection:
            found.skipped += 1
            if len(found.examples) < EXAMPLES:
                found.examples.append(
                    {
                        "id": event.event_id,
                        "timestamp": event.timestamp.isoformat(),
                        "code": rejection.code,
                        "message": rejection.message,
                    }
                )
            continue
        found.read += [(event, reading) for reading in readings]
    return found


def store(meter: Meter, decided: Decided, memory: Memory) -> int:
    """Store the readings that are not there yet, and add up those of events that count. Returns how many were new.

    Inside a transaction, in turn with corrections: nothing may be voided between the look at what is voided and
    the commit.
    """
    if not decided.read:
        return 0
    sets = number_dimensions({reading.dimensions for _, reading in decided.read}, memory)
    # Not before: after a deadlock the numbers of sets that were made with it would be of none.
    transaction.on_commit(lambda: memory.learn({}, sets))
    new = insert(meter, decided.read, sets)
    shapes = {set_id: shape_of(meter, set_id) for set_id in sets.values()}
    rollups.add(
        [
            row_of(event, reading, shapes[sets[reading.dimensions]])
            for event, reading in decided.read
            if new.get(place_of(event)) is False
        ],
        days_before=mark.days_before(),
    )
    return len(new)


def insert(
    meter: Meter, read: list[tuple[PastEvent, Reading]], sets: dict[Dimensions, int]
) -> dict[EventPlace, bool]:
    """The events whose readings are new, and whether they are voided."""
    rows = execute(
        INSERT,
        [
            meter.pk,
            bigints([event.customer_id for event, _ in read]),
            instants([micros_of(event.timestamp) for event, _ in read]),
            texts([event.event_id.encode() for event, _ in read]),
            bigints([event.shape_id for event, _ in read]),
            bigints([sets[reading.dimensions] for _, reading in read]),
            texts([text_of(reading.value).encode() for _, reading in read]),
        ],
    )
    return {(customer, at, event_id, shape): voided for customer, at, event_id, shape, voided in rows}


def place_of(event: PastEvent) -> EventPlace:
    return event.customer_id, event.timestamp, event.event_id, event.shape_id


def text_of(value: Decimal | str) -> str:
    return value if isinstance(value, str) else format(value, "f")


def shape_of(meter: Meter, set_id: int) -> Shape:
    """A shape of one reading, for the totals alone."""
    reading = ShapeReading(meter.pk, set_id, meter.aggregation, None, 0)
    return Shape(0, (), (reading,), is_additive=meter.aggregation in ADDITIVE, is_plain=False)


def row_of(event: PastEvent, reading: Reading, shape: Shape) -> Row:
    """What totals need to know of an event."""
    return Row(
        key=b"",
        content=0,
        micros=micros_of(event.timestamp),
        customer_id=event.customer_id,
        shape=shape,
        event_id=event.event_id.encode(),
        property_values=b"",
        values=(reading.value,),
        position=0,
    )
