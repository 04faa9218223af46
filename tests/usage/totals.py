"""Totals as three independent readings: the rollups of hours, those of days, and a scan of the events."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import connection

from apps.usage.models import UsageEvent

# Fractions: adding Decimals would round at 28 digits.
Totals = dict[tuple[Any, ...], tuple[Fraction, int]]


def rollup_totals(table: str) -> Totals:
    """By customer, meter, dimension set and bucket: quantity and count."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT customer_id, meter_id, dimension_set_id, bucket, quantity, event_count FROM {table}"
        )
        return {tuple(row[:4]): (Fraction(row[4]), row[5]) for row in cursor.fetchall()}


def scanned_totals(unit: str) -> Totals:
    """The same from the events themselves, added up in Python."""
    found: Totals = {}
    for event in UsageEvent.objects.select_related("shape"):
        bucket = event.timestamp.replace(minute=0, second=0, microsecond=0)
        if unit == "day":
            bucket = bucket.replace(hour=0)
        for meter_id, set_id, value in event.readings:
            key = (event.customer_id, meter_id, set_id, bucket)
            quantity, count = found.get(key, (Fraction(0), 0))
            found[key] = (quantity + Fraction(value), count + 1)
    return found


def assert_rollups_equal_events() -> None:
    assert rollup_totals("usage_rolluphour") == scanned_totals("hour")
    assert rollup_totals("usage_rollupday") == scanned_totals("day")


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
