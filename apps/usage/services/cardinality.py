"""Count how finely each meter is grouped, before it hurts. Once an hour, for it reads the totals of a month."""

from datetime import datetime, timedelta

from django.db import connection

from apps.core import clock
from apps.usage.models import MeterCardinality

EVERY = timedelta(hours=1)
COUNT = """
WITH used AS MATERIALIZED (
    SELECT DISTINCT meter_id, dimension_set_id FROM usage_daypart WHERE bucket >= %(month)s AND bucket < %(end)s
), width AS (
    SELECT used.meter_id, pair.key AS dimension, count(DISTINCT pair.value) AS counted
      FROM used JOIN usage_dimensionset AS dimension_set ON dimension_set.id = used.dimension_set_id
     CROSS JOIN LATERAL jsonb_each_text(dimension_set.values) AS pair GROUP BY 1, 2
), widest AS (
    SELECT DISTINCT ON (meter_id) meter_id, dimension, counted FROM width ORDER BY meter_id, counted DESC, dimension
), shape AS (
    SELECT event_name, count(*) AS counted FROM usage_eventshape GROUP BY 1
), filtered AS (
    SELECT DISTINCT meter.id AS meter_id, meter.event_name, part ->> 'property' AS name
      FROM catalog_meter AS meter CROSS JOIN LATERAL jsonb_array_elements(meter.filters) AS part
), filter_width AS (
    SELECT filtered.meter_id, filtered.name, count(DISTINCT shape.fixed::json ->> filtered.name) AS counted
      FROM filtered JOIN usage_eventshape AS shape ON shape.event_name = filtered.event_name GROUP BY 1, 2
), widest_filter AS (
    SELECT DISTINCT ON (meter_id) meter_id, name, counted FROM filter_width ORDER BY meter_id, counted DESC, name
), sets AS (
    SELECT meter_id, count(*) AS counted FROM used GROUP BY 1
)
INSERT INTO usage_metercardinality AS known
       (meter_id, month_on, dimension_sets, shapes, widest_dimension, widest_count, widest_filter,
        widest_filter_count, counted_at)
SELECT meter.id, (%(month)s::timestamptz AT TIME ZONE 'UTC')::date, coalesce(sets.counted, 0),
       coalesce(shape.counted, 0), coalesce(widest.dimension, ''), coalesce(widest.counted, 0),
       coalesce(widest_filter.name, ''), coalesce(widest_filter.counted, 0), %(at)s
  FROM catalog_meter AS meter
  LEFT JOIN sets ON sets.meter_id = meter.id
  LEFT JOIN widest ON widest.meter_id = meter.id
  LEFT JOIN widest_filter ON widest_filter.meter_id = meter.id
  LEFT JOIN shape ON shape.event_name = meter.event_name
    ON CONFLICT (meter_id) DO UPDATE
   SET month_on = excluded.month_on, dimension_sets = excluded.dimension_sets, shapes = excluded.shapes,
       widest_dimension = excluded.widest_dimension, widest_count = excluded.widest_count,
       widest_filter = excluded.widest_filter, widest_filter_count = excluded.widest_filter_count,
       counted_at = excluded.counted_at
"""


def count_when_due(now: datetime) -> int:
    """Due an hour after the last count, by the machine's clock: a sandbox that moves a year need not stop for it.

    Returns 0, for it is no step of the tenant's own time.
    """
    present = clock.real_now()
    latest = MeterCardinality.objects.order_by("-counted_at").values_list("counted_at", flat=True).first()
    if latest is None or latest <= present - EVERY:
        count_cardinality(now=now, counted_at=present)
    return 0


def count_cardinality(*, now: datetime, counted_at: datetime) -> None:
    """Of the month that `now` lies in; one statement."""
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (month + timedelta(days=32)).replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"month": month, "end": end, "at": counted_at})
