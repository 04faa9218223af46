"""Go over past events in a fixed order, some thousands at a time.

The order is that of the one index there is: partition, customer, hour; within an hour time, id and shape, which
tell events apart. So each step goes on where the last one ended, and reads nothing twice.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection
from psycopg import sql

from apps.core.api.parsers import number
from apps.usage.models import MeterBackfill
from apps.usage.services.partitions import existing

decode_object = msgspec.json.Decoder(dict[str, Any], float_hook=number).decode
decode_array = msgspec.json.Decoder(list[Any], float_hook=number).decode

HOUR = "date_bin('1 hour', \"timestamp\", '2000-01-01 00:00:00+00'::timestamptz)"
IN_RANGE = (
    '(%(starts_at)s::timestamptz IS NULL OR "timestamp" >= %(starts_at)s)'
    ' AND (%(ends_at)s::timestamptz IS NULL OR "timestamp" < %(ends_at)s) AND shape_id = ANY(%(shapes)s)'
)
CHUNK = f"""
SELECT customer_id, {HOUR} AS hour, "timestamp", event_id, shape_id, property_values FROM {{table}}
 WHERE (customer_id, {HOUR}) >= (%(customer)s, %(hour)s::timestamptz)
   AND (customer_id, {HOUR}, "timestamp", event_id, shape_id)
     > (%(customer)s, %(hour)s::timestamptz, %(timestamp)s::timestamptz, %(event_id)s, %(shape)s)
   AND {IN_RANGE}
 ORDER BY customer_id, hour, "timestamp", event_id, shape_id LIMIT %(size)s
"""
# Shapes of the meter's events off which its present definition has not read.
SHAPES = """
SELECT id, names, fixed, source, revision FROM usage_eventshape AS shape
 WHERE event_name = %s AND id <= %s
   AND (NOT meter_ids @> ARRAY[%s]::bigint[]
        OR EXISTS (SELECT FROM usage_discardedreading AS former
                    WHERE former.shape_id = shape.id AND former.meter_id = %s))
"""
BEGINNING = {"customer": 0, "hour": "-infinity", "timestamp": "-infinity", "event_id": "", "shape": 0}


@dataclass(frozen=True, slots=True)
class PastShape:
    names: tuple[str, ...]
    fixed: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PastEvent:
    customer_id: int
    hour: datetime
    timestamp: datetime
    event_id: str
    shape_id: int
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some events, and the position behind them; an empty one says that everything has been gone over."""

    events: list[PastEvent]
    position: dict[str, Any]
    is_last: bool


def shapes_of(backfill: MeterBackfill) -> dict[int, PastShape]:
    meter = backfill.meter
    with connection.cursor() as cursor:
        cursor.execute(SHAPES, [meter.event_name, backfill.last_shape_id, meter.pk, meter.pk])
        return {
            pk: PastShape(tuple(names), decode_object(fixed)) for pk, names, fixed, _, _ in cursor.fetchall()
        }


def count_events(backfill: MeterBackfill, shapes: dict[int, PastShape]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM usage_usageevent WHERE {IN_RANGE}", range_of(backfill, shapes))
        return int(cursor.fetchone()[0])


def next_chunk(backfill: MeterBackfill, shapes: dict[int, PastShape], *, size: int) -> Chunk:
    """What follows `backfill.position`. Partitions are gone over in the order of time; what was dropped is skipped."""
    position = backfill.position
    for partition in existing():
        if partition.name < position.get("partition", ""):
            continue
        if backfill.starts_at is not None and partition.end <= backfill.starts_at:
            continue
        if backfill.ends_at is not None and partition.start >= backfill.ends_at:
            continue
        after = position if partition.name == position.get("partition") else BEGINNING
        events = read(partition.name, after, backfill, shapes, size=size)
        if events:
            last = events[-1]
            behind = {
                "partition": partition.name,
                "customer": last.customer_id,
                "hour": last.hour.isoformat(),
                "timestamp": last.timestamp.isoformat(),
                "event_id": last.event_id,
                "shape": last.shape_id,
            }
            return Chunk(events, behind, is_last=False)
    return Chunk([], position, is_last=True)


def read(
    table: str, after: dict[str, Any], backfill: MeterBackfill, shapes: dict[int, PastShape], *, size: int
) -> list[PastEvent]:
    parameters = {**BEGINNING, **after, **range_of(backfill, shapes), "size": size}
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(CHUNK).format(table=sql.Identifier(table)), parameters)
        return [
            PastEvent(
                customer_id, hour, timestamp, event_id, shape_id, properties_of(shapes[shape_id], values)
            )
            for customer_id, hour, timestamp, event_id, shape_id, values in cursor.fetchall()
        ]


def properties_of(shape: PastShape, values: str) -> dict[str, Any]:
    """As they were reported. Behind the values of properties stand computed ones, which have no name."""
    return {**shape.fixed, **dict(zip(shape.names, decode_array(values), strict=False))}


def range_of(backfill: MeterBackfill, shapes: dict[int, PastShape]) -> dict[str, Any]:
    return {"starts_at": backfill.starts_at, "ends_at": backfill.ends_at, "shapes": sorted(shapes)}
