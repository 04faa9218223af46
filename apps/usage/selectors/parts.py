"""The events behind totals, for prices that ask for them: the queries whose cost grows with the number of events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from apps.usage.selectors.kept import refuse_archived
from apps.usage.selectors.sql import EVENT_OF_READING, QUANTITY, READINGS_OF
from apps.usage.selectors.totals import Quantity, Span

WANTED = (
    "unnest(%(labels)s::int[], %(customers)s::bigint[], %(meters)s::bigint[], %(sets)s::text[],"
    " %(starts)s::timestamptz[], %(ends)s::timestamptz[], {columns})"
    " AS wanted(label, customer_id, meter_id, sets, starts_at, ends_at, {names})"
)
OF_WANTED = READINGS_OF.format(
    "wanted",
    "reading.bucket BETWEEN wanted.starts_at - interval '1 hour' AND wanted.ends_at"
    ' AND reading."timestamp" >= wanted.starts_at AND reading."timestamp" < wanted.ends_at'
    " AND reading.meter_id = wanted.meter_id"
    " AND reading.dimension_set_id = ANY(string_to_array(wanted.sets, ',')::bigint[])",
)
PROPERTY = (
    "coalesce(event.property_values::json ->> (array_position(shape.names, wanted.property) - 1),"
    " shape.fixed::json ->> wanted.property)"
)
UNIT_AMOUNTS = f"""
SELECT label, unit_amount, trim_scale(sum(quantity)), count(*) FROM (
    SELECT wanted.label, {QUANTITY} AS quantity,
           CASE WHEN {PROPERTY} ~ '^[0-9]{{1,18}}([.][0-9]{{1,18}})?$'
                THEN trim_scale(({PROPERTY})::numeric) END AS unit_amount
      FROM {WANTED.format(columns="%(properties)s::text[]", names="property")}
      {OF_WANTED}
      {EVENT_OF_READING}
) AS read GROUP BY label, unit_amount ORDER BY label, unit_amount DESC NULLS LAST
"""
FIRST_EVENTS = f"""
SELECT free.label, trim_scale(free.quantity) FROM (
    SELECT wanted.label, wanted.count, wanted.total, {QUANTITY} AS quantity, row_number() OVER running AS number,
           sum({QUANTITY}) OVER running - {QUANTITY} AS before
      FROM {WANTED.format(columns="%(counts)s::bigint[], %(totals)s::numeric[]", names="count, total")}
      {OF_WANTED}
    WINDOW running AS (PARTITION BY wanted.label ORDER BY reading."timestamp", reading.event_id, reading.shape_id)
) AS free
 WHERE (free.count IS NULL OR free.number <= free.count) AND (free.total IS NULL OR free.before <= free.total)
 ORDER BY free.label, free.number
"""

WITH_VOIDED = """
SELECT DISTINCT wanted.label
  FROM unnest(%(labels)s::int[], %(customers)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
       AS wanted(label, customer_id, starts_at, ends_at)
 WHERE EXISTS (SELECT FROM usage_voidedevent AS voided WHERE voided.customer_id = wanted.customer_id
                  AND voided."timestamp" >= wanted.starts_at AND voided."timestamp" < wanted.ends_at)
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Which readings of events are meant: one meter, some dimension sets, a half-open period.

    Those of the spans that are `joined` are meant as well.
    """

    customer_id: int
    meter_id: int
    dimension_set_ids: Sequence[int]
    start: datetime
    end: datetime
    joined: tuple[Span, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        return Span(self.customer_id, self.start, self.end, self.joined).all


# Totals by unit amount; None stands for events that bring no number.
UnitAmounts = list[tuple[Decimal | None, Quantity]]


def quantities_by_unit_amount_of(questions: Sequence[tuple[Part, str]]) -> list[UnitAmounts]:
    """For each part, totals by the unit price that its events bring in a property, the dearest first."""
    found: list[UnitAmounts] = [[] for _ in questions]
    parts = [part for part, _ in questions]
    properties = {"properties": [name for _, name in questions]}
    for label, unit_amount, quantity, count in fetched(UNIT_AMOUNTS, parts, properties):
        found[label].append((unit_amount, Quantity(quantity, count)))
    return found


def quantities_by_unit_amount(part: Part, *, property_name: str) -> UnitAmounts:
    return quantities_by_unit_amount_of([(part, property_name)])[0]


# At most so many events, and as many as exceed the total; None is no limit.
Limits = tuple[int | None, Decimal | None]


def first_quantities_of(questions: Sequence[tuple[Part, Limits]]) -> list[list[Decimal]]:
    """For each part, what its first events measured, in order of time."""
    found: list[list[Decimal]] = [[] for _ in questions]
    parts = [part for part, _ in questions]
    limits = {
        "counts": [count for _, (count, _) in questions],
        "totals": [total for _, (_, total) in questions],
    }
    for label, quantity in fetched(FIRST_EVENTS, parts, limits):
        found[label].append(quantity)
    return found


def first_quantities(part: Part, *, count: int | None, total: Decimal | None) -> list[Decimal]:
    return first_quantities_of([(part, (count, total))])[0]


def fetched(statement: str, parts: Sequence[Part], parameters: dict[str, Any]) -> list[Any]:
    """One row for each customer of a part, all with the part's number; `parameters` are a value for each part."""
    places = [(label, part, span) for label, part in enumerate(parts) for span in part.spans]
    if not places:
        return []
    refuse_archived(span.start for _, _, span in places)
    columns: dict[str, list[Any]] = {
        "labels": [label for label, _, _ in places],
        "customers": [span.customer_id for _, _, span in places],
        "meters": [part.meter_id for _, part, _ in places],
        "sets": [",".join(map(str, part.dimension_set_ids)) for _, part, _ in places],
        "starts": [span.start for _, _, span in places],
        "ends": [span.end for _, _, span in places],
        **{name: [values[label] for label, _, _ in places] for name, values in parameters.items()},
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, columns)
        return list(cursor.fetchall())


def have_voided(parts: Sequence[Part]) -> list[bool]:
    """Whether events of the customers and the time of each were voided, amended or replaced; no events are read."""
    found = {label for (label,) in fetched(WITH_VOIDED, parts, {})}
    return [label in found for label in range(len(parts))]
