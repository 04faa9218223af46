"""Totals beside what counts: the readings without what was voided, with what was read later."""

from fractions import Fraction

from django.db import connection

from tests.usage.totals import Totals, kept_totals


def counting_totals(unit: str) -> Totals:
    """Added up in Python, for meters that add up."""
    found: Totals = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, meter_id, dimension_set_id, bucket, value FROM usage_reading"
            " JOIN catalog_meter AS meter ON meter.id = meter_id WHERE meter.aggregation IN ('sum', 'count')"
        )
        for *key, bucket, value in cursor.fetchall():
            place = (*key, bucket.replace(hour=0) if unit == "day" else bucket)
            quantity, count = found.get(place, (Fraction(0), 0))
            found[place] = (quantity + Fraction(value), count + 1)
    return found


def assert_totals_equal_what_counts() -> None:
    """For meters that add up."""
    for unit in ("hour", "day"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM catalog_meter WHERE aggregation IN ('sum', 'count')")
            additive = {pk for (pk,) in cursor.fetchall()}
        stored = {key: one for key, one in kept_totals(unit).items() if key[1] in additive}
        assert stored == counting_totals(unit)
