"""Quantities over any period: whole days, whole hours at the edges, raw events at the ragged ends.

Sums are taken by PostgreSQL in `numeric`: exact to the last digit, and the same as a scan of all events. The
cost depends on the number of buckets, not on the number of events.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from apps.core.errors import Missing
from apps.usage.models import UsageEvent
from apps.usage.standing import standing_of

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Interval = tuple[datetime, datetime]


# The readings of a customer's events in a period, by way of the index on customer and hour.
HOUR_OF = "date_bin('1 hour', {}.\"timestamp\", '2000-01-01 00:00:00+00'::timestamptz)"
READINGS = (
    "FROM usage_reading AS reading WHERE reading.customer_id = %s AND reading.bucket BETWEEN %s AND %s"
    ' AND reading."timestamp" >= %s AND reading."timestamp" < %s'
)
QUANTITY = "reading.value::numeric"
EVENT_OF_READING = (
    "JOIN usage_usageevent AS event ON event.customer_id = reading.customer_id"
    f" AND {HOUR_OF.format('event')} = reading.bucket AND event.timestamp = reading.timestamp"
    " AND event.event_id = reading.event_id AND event.shape_id = reading.shape_id"
    " JOIN usage_eventshape AS shape ON shape.id = event.shape_id"
)


def in_hours(start: datetime, end: datetime) -> list[datetime]:
    """The parameters of READINGS for a half-open period, after the customer."""
    return [floor(start, HOUR), floor(end, HOUR), start, end]


@dataclass(frozen=True, slots=True)
class Quantity:
    """The total of one meter. `event_count` says how many events were added up."""

    quantity: Decimal
    event_count: int


ZERO = Quantity(Decimal(0), 0)


@dataclass(frozen=True, slots=True)
class Pieces:
    """`[start, end)` in pieces that don't overlap and leave nothing out: days, hours, and what is left."""

    days: list[Interval]
    hours: list[Interval]
    ragged: list[Interval]


def pieces_of(start: datetime, end: datetime) -> Pieces:
    """Cut a half-open interval along UTC hours and days."""
    hours_from, hours_to = ceil(start, HOUR), floor(end, HOUR)
    if hours_from >= hours_to:
        return Pieces([], [], nonempty((start, end)))
    days_from, days_to = ceil(hours_from, DAY), floor(hours_to, DAY)
    ragged = nonempty((start, hours_from), (hours_to, end))
    if days_from >= days_to:
        return Pieces([], [(hours_from, hours_to)], ragged)
    return Pieces([(days_from, days_to)], nonempty((hours_from, days_from), (days_to, hours_to)), ragged)


def nonempty(*intervals: Interval) -> list[Interval]:
    return [interval for interval in intervals if interval[0] < interval[1]]


def floor(instant: datetime, step: timedelta) -> datetime:
    instant = instant.astimezone(UTC)
    if step == DAY:
        return instant.replace(hour=0, minute=0, second=0, microsecond=0)
    return instant.replace(minute=0, second=0, microsecond=0)


def ceil(instant: datetime, step: timedelta) -> datetime:
    down = floor(instant, step)
    return down if down == instant else down + step


def source_of(
    customer_id: int, meter_ids: list[int], start: datetime, end: datetime, *, label: int = 0
) -> tuple[list[str], list[Any]]:
    """SQL parts for rows (label, meter_id, dimension_set_id, quantity, event_count) that add up to the period.

    To be joined by UNION ALL; the parameters go with the parts in their order.
    """
    pieces = pieces_of(start, end)
    parts: list[str] = []
    parameters: list[Any] = []
    for table, intervals in (("usage_rollupday", pieces.days), ("usage_rolluphour", pieces.hours)):
        for interval in intervals:
            parts.append(
                f"SELECT {label} AS label, meter_id, dimension_set_id, quantity, event_count FROM {table}"
                " WHERE customer_id = %s AND meter_id = ANY(%s) AND bucket >= %s AND bucket < %s"
            )
            parameters += [customer_id, meter_ids, *interval]
    for interval in pieces.ragged:
        parts.append(
            f"SELECT {label} AS label, reading.meter_id, reading.dimension_set_id, {QUANTITY} AS quantity,"
            f" 1 AS event_count {READINGS} AND reading.meter_id = ANY(%s)"
        )
        parameters += [customer_id, *in_hours(*interval), meter_ids]
    return parts, parameters


def sources_over(customer_id: int, meter_ids: list[int], periods: list[Interval]) -> tuple[str, list[Any]]:
    """The same for several periods, labelled by their number; empty when there is nothing to ask."""
    parts: list[str] = []
    parameters: list[Any] = []
    for label, (start, end) in enumerate(periods):
        if meter_ids and start < end:
            more_parts, more_parameters = source_of(customer_id, meter_ids, start, end, label=label)
            parts += more_parts
            parameters += more_parameters
    return " UNION ALL ".join(parts), parameters


def quantities_over(
    *, customer_id: int, meter_ids: Iterable[int], periods: list[Interval]
) -> list[dict[int, Quantity]]:
    """The totals of a customer's meters, by meter, for each of `periods` (half-open, in their order).

    One statement for all of them, so all are of one snapshot. Every meter asked for has an entry, be it zero.
    """
    wanted = sorted(set(meter_ids))
    found = [dict.fromkeys(wanted, ZERO) for _ in periods]
    source, parameters = sources_over(customer_id, wanted, periods)
    if source:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT label, meter_id, trim_scale(sum(quantity)), sum(event_count)"
                f" FROM ({source}) AS part GROUP BY label, meter_id",
                parameters,
            )
            for label, meter_id, quantity, event_count in cursor.fetchall():
                found[label][meter_id] = Quantity(quantity, int(event_count))
    return found


def quantities(
    *, customer_id: int, meter_ids: Iterable[int], start: datetime, end: datetime
) -> dict[int, Quantity]:
    """The totals of a customer's meters over `[start, end)`, by meter."""
    return quantities_over(customer_id=customer_id, meter_ids=meter_ids, periods=[(start, end)])[0]


@dataclass(frozen=True, slots=True)
class DimensionQuantity:
    """The part of a meter's total that has these dimension values."""

    dimension_set_id: int
    dimensions: dict[str, str]
    quantity: Quantity


def quantities_by_dimension_over(
    *, customer_id: int, meter_ids: Iterable[int], periods: list[Interval]
) -> list[dict[int, list[DimensionQuantity]]]:
    """As `quantities_over`, by dimension values, the largest first. Every meter has a list, be it empty."""
    wanted = sorted(set(meter_ids))
    found: list[dict[int, list[DimensionQuantity]]] = [{meter_id: [] for meter_id in wanted} for _ in periods]
    source, parameters = sources_over(customer_id, wanted, periods)
    if source:
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT total.label, total.meter_id, total.dimension_set_id, dimensions."values"::text,'
                " total.quantity, total.event_count FROM ("
                "SELECT label, meter_id, dimension_set_id, trim_scale(sum(quantity)) AS quantity,"
                " sum(event_count) AS event_count"
                f" FROM ({source}) AS part GROUP BY label, meter_id, dimension_set_id) AS total"
                " JOIN usage_dimensionset AS dimensions ON dimensions.id = total.dimension_set_id"
                " ORDER BY total.quantity DESC, total.dimension_set_id",
                parameters,
            )
            for label, meter_id, set_id, values, quantity, count in cursor.fetchall():
                one = DimensionQuantity(set_id, json.loads(values), Quantity(quantity, int(count)))
                found[label][meter_id].append(one)
    return found


def quantities_by_dimension(
    *, customer_id: int, meter_id: int, start: datetime, end: datetime
) -> list[tuple[dict[str, str], Quantity]]:
    """The same for one meter and one period."""
    found = quantities_by_dimension_over(
        customer_id=customer_id, meter_ids=[meter_id], periods=[(start, end)]
    )[0]
    return [(one.dimensions, one.quantity) for one in found[meter_id]]


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


def event_by_identity(*, event_id: str, source: str = "") -> UsageEvent:
    """The event that the id stands for, with its shape and customer: the latest revision, or what was voided last.

    Raises `Missing` event_not_found.
    """
    standing = standing_of(event_id=event_id, source=source)
    if standing is None:
        raise Missing("event_not_found", f"No event {event_id!r} has been accepted.")
    return standing.event


def latest_events(customer_id: int) -> QuerySet[UsageEvent]:
    """A customer's events, the latest first, with their shapes; to be sliced.

    By hour first: that is the order of the index, so that only the events of a few hours are read and sorted.
    """
    events = UsageEvent.objects.filter(customer_id=customer_id).select_related("shape", "customer")
    return events.order_by(RawSQL(HOUR_OF.format("usage_usageevent"), ()).desc(), "-timestamp", "event_id")
