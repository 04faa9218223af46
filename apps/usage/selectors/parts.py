"""The events behind a total, for prices that ask for them: the queries whose cost grows with their number."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from apps.usage.selectors.pieces import HOUR, floor
from apps.usage.selectors.sql import EVENT_OF_READING, QUANTITY, READINGS
from apps.usage.selectors.totals import Quantity


def in_hours(start: datetime, end: datetime) -> list[datetime]:
    """The parameters of READINGS for a half-open period, after the customer."""
    return [floor(start, HOUR), floor(end, HOUR), start, end]


@dataclass(frozen=True, slots=True)
class Part:
    """Which readings of events are meant: one meter, some dimension sets, a half-open period."""

    customer_id: int
    meter_id: int
    dimension_set_ids: list[int]
    start: datetime
    end: datetime

    @property
    def sql(self) -> str:
        return f" {READINGS} AND reading.meter_id = %s AND reading.dimension_set_id = ANY(%s)"

    @property
    def parameters(self) -> list[Any]:
        return [
            self.customer_id,
            *in_hours(self.start, self.end),
            self.meter_id,
            self.dimension_set_ids,
        ]


def quantities_by_unit_amount(part: Part, *, property_name: str) -> list[tuple[Decimal | None, Quantity]]:
    """Totals by the unit price that each event brings, the dearest first; None for events that bring no number.

    Reads the events of the part: the one query whose cost grows with their number.
    """
    found = "coalesce(event.property_values::json ->> (array_position(shape.names, %s) - 1), shape.fixed::json ->> %s)"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT unit_amount, trim_scale(sum(quantity)), count(*) FROM ("
            "SELECT quantity, CASE WHEN text ~ '^[0-9]{1,18}([.][0-9]{1,18})?$' THEN trim_scale(text::numeric) END"
            f" AS unit_amount FROM (SELECT {QUANTITY} AS quantity, {found} AS text"
            f" {part.sql.replace('AS reading', f'AS reading {EVENT_OF_READING}', 1)}) AS read) AS priced"
            " GROUP BY unit_amount ORDER BY unit_amount DESC NULLS LAST",
            [property_name, property_name, *part.parameters],
        )
        return [
            (unit_amount, Quantity(quantity, count)) for unit_amount, quantity, count in cursor.fetchall()
        ]


def first_quantities(part: Part, *, count: int | None, total: Decimal | None) -> list[Decimal]:
    """What the first events of the part measured, in order of time: at most `count`, and as many as exceed `total`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT trim_scale(quantity) FROM (SELECT quantity, row_number() OVER running AS number,"
            " sum(quantity) OVER running - quantity AS before"
            f" FROM (SELECT {QUANTITY} AS quantity, reading.timestamp AS at, reading.event_id, reading.shape_id"
            f" {part.sql}) AS read WINDOW running AS (ORDER BY at, event_id, shape_id)) AS ordered"
            " WHERE (%s::bigint IS NULL OR number <= %s) AND (%s::numeric IS NULL OR before <= %s) ORDER BY number",
            [*part.parameters, count, count, total, total],
        )
        return [quantity for (quantity,) in cursor.fetchall()]
