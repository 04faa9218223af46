"""Totals as three independent readings: the rollups of hours, those of days, and a scan of the events."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from django.db import connection

from apps.catalog.models import Meter
from apps.usage.models import DayMark, DayPart, EventReading

MICROSECOND = timedelta(microseconds=1)

# What one meter read off one event: when, and what.
Reading = tuple[datetime, str]
# By customer, meter, dimension set and bucket: quantity and number of events.
# Fractions: adding Decimals would round at 28 digits.
Totals = dict[tuple[Any, ...], tuple[Fraction, int]]


def folded(aggregation: str, readings: list[Reading]) -> Fraction:
    """What an aggregation makes of the readings of one dimension set in one bucket."""
    if aggregation == "unique_count":
        return Fraction(len({text for _, text in readings}))
    ordered = sorted((at, Fraction(text)) for at, text in readings)
    values = [value for _, value in ordered]
    if aggregation == "max":
        return max(values)
    if aggregation == "min":
        return min(values)
    if aggregation == "latest":
        return values[-1]
    if aggregation == "time_weighted_sum":
        return sum(
            (value * ((end - start) // MICROSECOND) for (start, value), (end, _) in pairwise(ordered)),
            Fraction(0),
        )
    return sum(values, Fraction(0))


def rollup_totals(table: str) -> Totals:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT customer_id, meter_id, dimension_set_id, bucket, quantity, event_count FROM {table}"
        )
        return {tuple(row[:4]): (Fraction(row[4]), row[5]) for row in cursor.fetchall()}


def kept_totals(unit: str) -> Totals:
    """What is kept of hours, or of days: sums and counts of days that are not complete lie in their hours."""
    found = rollup_totals(f"usage_rollup{unit}")
    if unit == "hour":
        return found
    additive = set(Meter.objects.filter(aggregation__in=["sum", "count"]).values_list("pk", flat=True))
    written_before = DayMark.objects.get().written_before
    early = {key for key in found if key[1] in additive and key[3] >= written_before}
    assert early == set(), "nobody writes them before the day is over"
    kept = {key: one for key, one in found.items() if key[1] not in additive}
    for part in DayPart.objects.filter(meter_id__in=additive):
        key = (part.customer_id, part.meter_id, part.dimension_set_id, part.bucket)
        quantity, count = kept.get(key, (Fraction(0), 0))
        kept[key] = (quantity + Fraction(part.quantity), count + part.event_count)
    return kept


def scanned_totals(unit: str) -> Totals:
    """The same from the readings themselves, in Python."""
    aggregations = dict(Meter.objects.values_list("pk", "aggregation"))
    buckets: dict[tuple[Any, ...], list[Reading]] = {}
    for one in EventReading.objects.all():
        bucket = one.timestamp.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if unit == "day":
            bucket = bucket.replace(hour=0)
        key = (one.customer_id, one.meter_id, one.dimension_set_id, bucket)
        buckets.setdefault(key, []).append((one.timestamp, one.value))
    return {key: (folded(aggregations[key[1]], found), len(found)) for key, found in buckets.items()}


def unique_totals(unit: str) -> Totals:
    """How many values each bucket knows, and how many events had them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, meter_id, dimension_set_id, bucket, count(*), sum(event_count)"
            f" FROM usage_unique{unit} GROUP BY 1, 2, 3, 4"
        )
        return {tuple(row[:4]): (Fraction(row[4]), int(row[5])) for row in cursor.fetchall()}


def assert_rollups_equal_events() -> None:
    uniques = set(Meter.objects.filter(aggregation="unique_count").values_list("pk", flat=True))
    for unit in ("hour", "day"):
        scanned = scanned_totals(unit)
        assert kept_totals(unit) == scanned
        assert unique_totals(unit) == {key: one for key, one in scanned.items() if key[1] in uniques}


def metered(meter_code: str) -> Decimal:
    """Everything a meter has counted, whoever used it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(quantity), 0) FROM usage_rolluphour JOIN catalog_meter meter"
            " ON meter.id = meter_id WHERE meter.code = %s",
            [meter_code],
        )
        total: Decimal = cursor.fetchone()[0]
        return total
