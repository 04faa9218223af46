"""Add the readings of newly stored events to their hours and days (UTC), in the transaction that stores them."""

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, localcontext
from typing import Any, cast

from apps.usage.services.memory import ADDITIVE, Shape
from apps.usage.services.pack import bigints, execute, instants, texts
from apps.usage.services.reading import Row

# Sums of values below 10^19 with 18 decimals: exact, or an error, never rounded.
EXACT = Context(prec=100, traps=[Inexact])

HOUR = 3_600_000_000
DAY = 24 * HOUR

# Customer, meter, bucket in microseconds since 1970, dimension set.
BucketKey = tuple[int, int, int, int]
Total = tuple[int | Decimal, int]
Addends = tuple[int | Decimal, ...]

UPSERT = """
INSERT INTO {table} AS total (customer_id, meter_id, bucket, dimension_set_id, quantity, event_count)
SELECT customer_id, meter_id, bucket, dimension_set_id, quantity::numeric, event_count
  FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::text[], %s::bigint[])
       AS batch(customer_id, meter_id, bucket, dimension_set_id, quantity, event_count)
    ON CONFLICT (customer_id, meter_id, bucket, dimension_set_id)
    DO UPDATE SET quantity = total.quantity + excluded.quantity,
                  event_count = total.event_count + excluded.event_count
"""
# One statement for hours and days: the rows of each in the order of their keys, so that two batches wait for
# each other and never in a circle.
ADD = f"WITH hours AS ({UPSERT.format(table='usage_rolluphour')}) {UPSERT.format(table='usage_rollupday')}"


def add(rows: Iterable[Row]) -> None:
    """Add up rows that are stored in this transaction and were not before."""
    with localcontext(EXACT):
        hours = additive_hours(rows)
        if not hours:
            return
        days = in_days(hours)
    execute(ADD, [*columns(hours), *columns(days)])


def additive_hours(rows: Iterable[Row]) -> dict[BucketKey, Total]:
    """Sums and counts by hour. Events of one shape are added up first: they feed the same rows."""
    groups: dict[tuple[int, int, Shape], list[Any]] = {}
    for row in rows:
        key = (row.customer_id, row.micros - row.micros % HOUR, row.shape)
        values = cast(Addends, row.values) if row.shape.is_additive else addends(row)
        group = groups.get(key)
        if group is None:
            groups[key] = [1, *values]
        else:
            group[0] += 1
            for number, value in enumerate(values, 1):
                group[number] += value
    hours: dict[BucketKey, Total] = {}
    for (customer_id, hour, shape), (count, *sums) in groups.items():
        for reading, quantity in zip(shape.readings, sums, strict=True):
            if reading.aggregation not in ADDITIVE:
                continue
            bucket = (customer_id, reading.meter_id, hour, reading.dimension_set_id)
            known = hours.get(bucket)
            hours[bucket] = (quantity, count) if known is None else (known[0] + quantity, known[1] + count)
    return hours


def addends(row: Row) -> Addends:
    """Zeros for readings that are not added up."""
    return tuple(
        value if reading.aggregation in ADDITIVE and not isinstance(value, str) else 0
        for reading, value in zip(row.shape.readings, row.values, strict=True)
    )


def in_days(hours: dict[BucketKey, Total]) -> dict[BucketKey, Total]:
    days: dict[BucketKey, Total] = {}
    for (customer_id, meter_id, hour, set_id), (quantity, count) in hours.items():
        bucket = (customer_id, meter_id, hour - hour % DAY, set_id)
        known = days.get(bucket)
        days[bucket] = (quantity, count) if known is None else (known[0] + quantity, known[1] + count)
    return days


def columns(totals: dict[BucketKey, Total]) -> list[object]:
    keys = sorted(totals)
    customers, meters, buckets, sets = zip(*keys, strict=True)
    found = [totals[key] for key in keys]
    return [
        bigints(customers),
        bigints(meters),
        instants(buckets),
        bigints(sets),
        texts(
            [format(quantity, "f" if type(quantity) is Decimal else "d").encode() for quantity, _ in found]
        ),
        bigints([count for _, count in found]),
    ]
