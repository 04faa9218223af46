"""Add the readings of newly stored events to their hours and days, in the transaction that stores them."""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Any, cast

from apps.catalog.models import Meter
from apps.usage.services.columns import Group
from apps.usage.services.memory import ADDITIVE, Shape
from apps.usage.services.pack import bigints, execute, texts
from apps.usage.services.reading import Row
from apps.usage.services.rollups import compared, grouped, levels, unique
from apps.usage.services.rollups.buckets import (
    DAY,
    EXACT,
    HOUR,
    BucketKey,
    Number,
    key_columns,
    upsert,
    upserts,
)
from apps.usage.services.rollups.kinds import Readings

Total = tuple[Number, int]
Addends = tuple[Number, ...]
# By customer, hour and shape: how many events, and the sums of its readings.
Groups = dict[tuple[int, int, Shape], list[Any]]

COLUMNS = {"quantity": "numeric", "event_count": "bigint"}
CHANGES = "quantity = total.quantity + excluded.quantity"
ADD_HOURS = upsert("usage_rolluphour", COLUMNS, CHANGES)
ADD_BOTH = upserts(COLUMNS, CHANGES)


def add(rows: Iterable[Row], *, days_before: int) -> None:
    """Add up rows that are stored in this transaction and were not before.

    One statement for sums and counts, and one to three for each other aggregation that the rows have.
    `days_before` says which days are written (`write_additive`).
    """
    add_together([], rows, days_before=days_before)


def add_together(groups: Iterable[Group], rows: Iterable[Row], *, days_before: int) -> None:
    """The same for what was read in groups, and rows besides."""
    plain = []
    others = list(rows)
    for group in groups:
        if group.shape.is_additive:
            plain.append(group)
        else:
            others.extend(group.rows())
    with localcontext(EXACT):
        hours, has_others = additive_hours(others)
        grouped.add_to(hours, plain)
        write_additive(hours, days_before=days_before)
        if has_others:
            add_others(Readings(others))


def write_additive(hours: dict[BucketKey, Total], *, days_before: int) -> None:
    """Add sums and counts to hours, and to their days before `days_before` (microseconds since 1970); later days are
    added up when they are over (`roll`). One statement, if there is anything.

    The mark must hold until the end of the transaction: a batch that shares the lock of batches remembers it, all
    others read it (`mark`).
    """
    if not hours:
        return
    late = {key: total for key, total in hours.items() if key[2] < days_before}
    if not late:
        execute(ADD_HOURS, columns(hours))
        return
    with localcontext(EXACT):
        days = in_days(late)
    execute(ADD_BOTH, [*columns(hours), *columns(days)])


def add_others(readings: Readings) -> None:
    """In `kinds.ORDER`."""
    for aggregation in compared.STATEMENTS:
        if aggregation in readings.numbers:
            compared.add(aggregation, readings.numbers[aggregation])
    if readings.texts:
        unique.add(readings.texts)
    if Meter.Aggregation.TIME_WEIGHTED_SUM in readings.numbers:
        levels.add(readings.numbers[Meter.Aggregation.TIME_WEIGHTED_SUM])


def addends(row: Row) -> Addends:
    """Zeros for readings that are not added up."""
    return tuple(
        value if reading.aggregation in ADDITIVE and not isinstance(value, str) else 0
        for reading, value in zip(row.shape.readings, row.values, strict=True)
    )


def additive_hours(rows: Iterable[Row]) -> tuple[dict[BucketKey, Total], bool]:
    """Sums and counts by hour, and whether there are other readings. Events of one shape are added up first: they
    feed the same totals.
    """
    groups: Groups = {}
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
    has_others = False
    for (customer_id, hour, shape), (count, *sums) in groups.items():
        for reading, quantity in zip(shape.readings, sums, strict=True):
            if reading.aggregation not in ADDITIVE:
                has_others = True
                continue
            bucket = (customer_id, reading.meter_id, hour, reading.dimension_set_id)
            known = hours.get(bucket)
            hours[bucket] = (quantity, count) if known is None else (known[0] + quantity, known[1] + count)
    return hours, has_others


def in_days(hours: dict[BucketKey, Total]) -> dict[BucketKey, Total]:
    days: dict[BucketKey, Total] = {}
    for (customer_id, meter_id, hour, set_id), (quantity, count) in hours.items():
        bucket = (customer_id, meter_id, hour - hour % DAY, set_id)
        known = days.get(bucket)
        days[bucket] = (quantity, count) if known is None else (known[0] + quantity, known[1] + count)
    return days


def columns(totals: dict[BucketKey, Total]) -> list[object]:
    keys = sorted(totals)
    found = [totals[key] for key in keys]
    # As `numbers` writes them, without a pass of its own: this is the hot path.
    quantities = [
        format(quantity, "f" if type(quantity) is Decimal else "d").encode() for quantity, _ in found
    ]
    return [*key_columns(keys), texts(quantities), bigints([count for _, count in found])]
