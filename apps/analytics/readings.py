"""Usage of many customers and periods at once: one statement, however many there are.

A period is cut along hours and days as `apps.usage` cuts it, so the totals are those that invoices read: whole days and
hours from the rollups, the ragged ends from the events.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from apps.usage.models import DimensionSet
from apps.usage.selectors import EVENT_OF_READING, QUANTITY, pieces_of

HOURS = (
    "reading.bucket BETWEEN {part}.starts_at - interval '1 hour' AND {part}.ends_at"
    ' AND reading."timestamp" >= {part}.starts_at AND reading."timestamp" < {part}.ends_at'
)
PROPERTY = (
    "coalesce(event.property_values::json ->> (array_position(shape.names, wanted.property) - 1),"
    " shape.fixed::json ->> wanted.property)"
)
QUANTITIES = f"""
WITH part AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(labels)s::int[], %(customers)s::bigint[],
                         %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS part(kind, label, customer_id, starts_at, ends_at)
), used AS (
    SELECT part.label, total.meter_id, total.dimension_set_id, total.quantity, total.event_count
      FROM part JOIN usage_rollupday AS total ON total.customer_id = part.customer_id
       AND total.meter_id = ANY(%(meters)s) AND total.bucket >= part.starts_at AND total.bucket < part.ends_at
     WHERE part.kind = 'day'
    UNION ALL
    SELECT part.label, total.meter_id, total.dimension_set_id, total.quantity, total.event_count
      FROM part JOIN usage_rolluphour AS total ON total.customer_id = part.customer_id
       AND total.meter_id = ANY(%(meters)s) AND total.bucket >= part.starts_at AND total.bucket < part.ends_at
     WHERE part.kind = 'hour'
    UNION ALL
    SELECT part.label, reading.meter_id, reading.dimension_set_id, {QUANTITY}, 1
      FROM part JOIN usage_reading AS reading ON reading.customer_id = part.customer_id
       AND {HOURS.format(part="part")}
     WHERE part.kind = 'event' AND reading.meter_id = ANY(%(meters)s)
)
SELECT label, meter_id, dimension_set_id, trim_scale(sum(quantity)), sum(event_count)::bigint
  FROM used GROUP BY label, meter_id, dimension_set_id
"""
UNIT_PRICES = f"""
SELECT label, wanted.meter_id, property, dimension_set_id, unit_amount, trim_scale(sum(quantity)), count(*) FROM (
    SELECT wanted.label, wanted.meter_id, wanted.property, reading.dimension_set_id, {QUANTITY} AS quantity,
           CASE WHEN {PROPERTY} ~ '^[0-9]{{1,18}}([.][0-9]{{1,18}})?$'
                THEN trim_scale(({PROPERTY})::numeric) END AS unit_amount
      FROM unnest(%(labels)s::int[], %(customers)s::bigint[], %(meters)s::bigint[], %(properties)s::text[],
                  %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS wanted(label, customer_id, meter_id, property, starts_at, ends_at)
      JOIN usage_reading AS reading ON reading.customer_id = wanted.customer_id
       AND {HOURS.format(part="wanted")}
      {EVENT_OF_READING}
     WHERE reading.meter_id = wanted.meter_id
) AS wanted GROUP BY label, wanted.meter_id, property, dimension_set_id, unit_amount
"""
FIRST_EVENTS = f"""
SELECT wanted.label, free.quantity
  FROM unnest(%(labels)s::int[], %(customers)s::bigint[], %(meters)s::bigint[], %(sets)s::text[],
              %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(counts)s::bigint[], %(totals)s::numeric[])
    AS wanted(label, customer_id, meter_id, sets, starts_at, ends_at, count, total)
 CROSS JOIN LATERAL (
    SELECT trim_scale(ordered.quantity) AS quantity, ordered.number FROM (
        SELECT {QUANTITY} AS quantity, row_number() OVER running AS number,
               sum({QUANTITY}) OVER running - {QUANTITY} AS before
          FROM usage_reading AS reading
         WHERE reading.customer_id = wanted.customer_id AND {HOURS.format(part="wanted")}
           AND reading.meter_id = wanted.meter_id
           AND reading.dimension_set_id = ANY(string_to_array(wanted.sets, ',')::bigint[])
        WINDOW running AS (ORDER BY reading."timestamp", reading.event_id, reading.shape_id)
    ) AS ordered
     WHERE (wanted.count IS NULL OR ordered.number <= wanted.count)
       AND (wanted.total IS NULL OR ordered.before <= wanted.total)
 ) AS free
 ORDER BY wanted.label, free.number
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Whose usage, from when to when."""

    customer_id: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Used:
    """What one meter counted with one set of dimension values."""

    meter_id: int
    dimension_set_id: int
    quantity: Decimal
    event_count: int


def quantities_of(spans: Sequence[Span], meter_ids: Iterable[int]) -> list[list[Used]]:
    """By span, in their order. One statement, so one snapshot."""
    found: list[list[Used]] = [[] for _ in spans]
    rows = [
        (kind, label, span.customer_id, start, end)
        for label, span in enumerate(spans)
        for kind, intervals in kinds_of(span)
        for start, end in intervals
    ]
    wanted = sorted(set(meter_ids))
    if rows and wanted:
        columns = dict(zip(("kinds", "labels", "customers", "starts", "ends"), columns_of(rows), strict=True))
        for label, *used in fetched(QUANTITIES, {**columns, "meters": wanted}):
            found[label].append(Used(*used))
    return found


def kinds_of(span: Span) -> list[tuple[str, list[tuple[datetime, datetime]]]]:
    pieces = pieces_of(span.start, span.end)
    return [("day", pieces.days), ("hour", pieces.hours), ("event", pieces.ragged)]


# label, customer, meter, property, start, end
UnitPriceQuestion = tuple[int, int, int, str, datetime, datetime]
# label, meter, property, dimension set, unit amount, quantity, number of events
UnitPriceRow = tuple[int, int, str, int, Decimal | None, Decimal, int]


def unit_prices_of(questions: Sequence[UnitPriceQuestion]) -> list[UnitPriceRow]:
    """Quantities by the unit price that each event brings. Reads the events: only dynamic prices ask."""
    names = ("labels", "customers", "meters", "properties", "starts", "ends")
    return fetched(UNIT_PRICES, dict(zip(names, columns_of(questions), strict=True))) if questions else []


# label, customer, meter, dimension sets, start, end, number of events, total
FirstEventsQuestion = tuple[int, int, int, list[int], datetime, datetime, int | None, Decimal | None]


def first_events_of(questions: Sequence[FirstEventsQuestion]) -> dict[int, list[Decimal]]:
    """What the first events measured, by label: at most so many, and as many as exceed the total."""
    found: dict[int, list[Decimal]] = {}
    if not questions:
        return found
    names = ("labels", "customers", "meters", "sets", "starts", "ends", "counts", "totals")
    rows = [(*one[:3], ",".join(map(str, one[3])), *one[4:]) for one in questions]
    for label, quantity in fetched(FIRST_EVENTS, dict(zip(names, columns_of(rows), strict=True))):
        found.setdefault(label, []).append(quantity)
    return found


def dimensions_of(set_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    return {pk: one.values for pk, one in DimensionSet.objects.in_bulk(set(set_ids)).items()}


def columns_of(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def fetched(statement: str, parameters: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
