"""Let totals follow what a correction voids or restores: hours and days equal the readings that count.

Of a single event sums and counts are moved by the difference, however much else its hour holds. For the other
aggregations a value can't be taken out of a total, and for many events looking each of them up would cost more
than reading their hours: those are computed anew.
"""

from datetime import datetime
from typing import Any

from django.db import connection

from apps.catalog.models import Meter
from apps.usage.models import UsageCorrection
from apps.usage.services import rollups
from apps.usage.services.memory import ADDITIVE

# Customer, meter, start of the hour.
Hour = tuple[int, int, datetime]

# Of few events: each is looked up by customer and hour.
READINGS = """
SELECT reading.customer_id, reading.meter_id, reading.bucket, reading.dimension_set_id, reading.value,
       meter.aggregation
  FROM usage_voidedevent AS voided
  JOIN usage_anyreading AS reading
    ON reading.customer_id = voided.customer_id
   AND reading.bucket = date_bin('1 hour', voided."timestamp", '2000-01-01 00:00:00+00'::timestamptz)
   AND reading."timestamp" = voided."timestamp" AND reading.event_id = voided.event_id
   AND reading.shape_id = voided.shape_id
  JOIN catalog_meter AS meter ON meter.id = reading.meter_id
 WHERE voided.correction_id = %(correction)s AND voided."timestamp" >= %(first)s AND voided."timestamp" <= %(last)s
   AND reading."timestamp" >= %(first)s AND reading."timestamp" <= %(last)s
"""
BOUNDS = 'SELECT min("timestamp"), max("timestamp") FROM usage_voidedevent WHERE correction_id = %s'
MOVE = """
INSERT INTO usage_rollup{unit} AS total (customer_id, meter_id, bucket, dimension_set_id, quantity, event_count)
SELECT customer_id, meter_id, date_bin('1 {unit}', bucket, '2000-01-01 00:00:00+00'::timestamptz) AS bucket,
       dimension_set_id, -sum(value::numeric), -count(*)
  FROM moved {where} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (customer_id, meter_id, bucket, dimension_set_id)
    DO UPDATE SET quantity = total.quantity + excluded.quantity,
                  event_count = total.event_count + excluded.event_count
"""
# The days come first: what is attached to a statement runs behind it. Later days are added up when they are over; the
# caller has taken the turn, so that the mark does not move meanwhile.
WRITTEN = "WHERE bucket < (SELECT written_before FROM usage_daymark)"
MOVE_BOTH = f"""
WITH moved AS MATERIALIZED (SELECT * FROM ({READINGS}) AS reading WHERE aggregation = ANY(%(additive)s)),
     hours AS ({MOVE.format(unit="hour", where="")})
{MOVE.format(unit="day", where=WRITTEN)}
"""
# A total of nothing is no total: whoever lists dimensions would list those that nobody used.
SWEEP = """
DELETE FROM usage_rollup{unit} AS total USING (
    SELECT DISTINCT customer_id, meter_id, dimension_set_id,
           date_bin('1 {unit}', bucket, '2000-01-01 00:00:00+00'::timestamptz) AS bucket
      FROM ({readings}) AS reading WHERE aggregation = ANY(%(additive)s)) AS moved
 WHERE total.customer_id = moved.customer_id AND total.meter_id = moved.meter_id
   AND total.dimension_set_id = moved.dimension_set_id AND total.bucket = moved.bucket AND total.event_count = 0
"""
OTHERS = f"""
SELECT DISTINCT customer_id, meter_id, bucket FROM ({READINGS}) AS reading WHERE aggregation <> ALL(%(additive)s)
"""


# What events of these shapes may have been counted for. More than there is does no harm.
HOURS = """
WITH voided AS (
    SELECT *, date_bin('1 hour', "timestamp", '2000-01-01 00:00:00+00'::timestamptz) AS bucket
      FROM usage_voidedevent WHERE correction_id = %s
), kind AS (
    SELECT DISTINCT customer_id, bucket, shape_id FROM voided
)
SELECT kind.customer_id, meter.id, kind.bucket
  FROM kind JOIN usage_eventshape AS shape ON shape.id = kind.shape_id
 CROSS JOIN LATERAL unnest(shape.meter_ids) AS meter(id)
UNION
SELECT later.customer_id, later.meter_id, voided.bucket
  FROM voided JOIN usage_backfilledreading AS later
    ON later.customer_id = voided.customer_id AND later."timestamp" = voided."timestamp"
   AND later.event_id = voided.event_id AND later.shape_id = voided.shape_id
"""


def take_out(correction: UsageCorrection) -> None:
    """The one event that the correction has voided counts no more."""
    bounds = bounds_of(correction)
    with connection.cursor() as cursor:
        cursor.execute(MOVE_BOTH, bounds)
        for unit in ("day", "hour"):
            cursor.execute(SWEEP.format(unit=unit, readings=READINGS), bounds)
    rollups.rebuild_buckets(others_of(bounds))


def hours_of(correction: UsageCorrection) -> set[Hour]:
    """The hours of all that the correction has voided; to be rebuilt when it is voided, or restored."""
    with connection.cursor() as cursor:
        cursor.execute(HOURS, [correction.pk])
        return {(customer_id, meter_id, bucket) for customer_id, meter_id, bucket in cursor.fetchall()}


def rebuild(hours: set[Hour]) -> None:
    """Make totals equal what counts now."""
    rollups.rebuild_buckets(hours)


def bounds_of(correction: UsageCorrection) -> dict[str, Any]:
    """Parameters of the statements. Between the first and the last event, for only those partitions are read."""
    with connection.cursor() as cursor:
        cursor.execute(BOUNDS, [correction.pk])
        first, last = cursor.fetchone()
    return {"correction": correction.pk, "first": first, "last": last, "additive": sorted(ADDITIVE)}


def others_of(bounds: dict[str, Any]) -> list[Hour]:
    if not Meter.objects.exclude(aggregation__in=ADDITIVE).exists():
        return []
    with connection.cursor() as cursor:
        cursor.execute(OTHERS, bounds)
        return [(customer_id, meter_id, bucket) for customer_id, meter_id, bucket in cursor.fetchall()]
