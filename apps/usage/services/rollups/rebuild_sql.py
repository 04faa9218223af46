"""The statements that read totals anew. Parameters are columns of keys."""

from apps.usage.selectors.sql import READINGS_OF_HOUR, VALUE_HASH
from apps.usage.services.rollups.buckets import KEY, KEY_ARRAYS

DAY_OF = "date_bin('1 day', {}, '2000-01-01 00:00:00+00'::timestamptz)"
READINGS = READINGS_OF_HOUR.format("{0}", "{0}.bucket", "{0}.bucket + interval '1 hour'")


def lock(table: str, bucket: str) -> str:
    """An update that changes nothing locks a row, or makes one: in the order of keys."""
    return f"""
WITH asked AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[]) AS asked(customer_id, meter_id, bucket)
), hour AS (
    SELECT {KEY} FROM asked JOIN usage_rolluphour USING (customer_id, meter_id, bucket)
    UNION
    SELECT reading.customer_id, reading.meter_id, reading.bucket, reading.dimension_set_id
      FROM (SELECT DISTINCT customer_id, bucket FROM asked) AS hour {READINGS.format("hour")}
      JOIN asked ON asked.customer_id = hour.customer_id AND asked.bucket = hour.bucket
       AND asked.meter_id = reading.meter_id
)
INSERT INTO {table} AS total ({KEY}, quantity, event_count)
SELECT DISTINCT customer_id, meter_id, {bucket.format("bucket")} AS bucket, dimension_set_id, 0, 0 FROM hour
 ORDER BY {KEY}
    ON CONFLICT ({KEY}) DO UPDATE SET event_count = total.event_count
RETURNING {KEY}
"""


LOCK_DAYS, LOCK_HOURS = lock("usage_rollupday", DAY_OF), lock("usage_rolluphour", "{}")

WANTED = f"SELECT * FROM unnest({KEY_ARRAYS}) AS wanted({KEY})"
OF_WANTED = f"({KEY}) IN ({WANTED})"
DELETE_EMPTY = f"DELETE FROM usage_rollup{{unit}} WHERE {OF_WANTED} AND event_count = 0"

# A row for each key with its aggregation, joined to the parts that its total is made of: (quantity, event_count,
# first_at, last_at, last_value), of which `part` is the source.
REBUILD = f"""
WITH wanted AS (
    SELECT wanted.*, meter.aggregation FROM ({WANTED}) AS wanted
      LEFT JOIN catalog_meter AS meter ON meter.id = wanted.meter_id
), part AS (
    {{part}}
), spaced AS (
    SELECT part.*, extract(epoch FROM lead(first_at) OVER (
               PARTITION BY {KEY} ORDER BY first_at, last_value
           ) - last_at) * 1000000 AS gap
      FROM part
), computed AS (
    SELECT {KEY}, sum(event_count) AS event_count, sum(quantity) AS sum, max(quantity) AS max, min(quantity) AS min,
           (array_agg(last_value ORDER BY last_at DESC, last_value DESC))[1] AS last_value,
           sum(quantity + coalesce(last_value * gap, 0)) AS area, min(first_at) AS first_at,
           max(last_at) AS last_at
      FROM spaced GROUP BY {KEY}
)
UPDATE usage_rollup{{unit}} AS total
   SET event_count = coalesce(computed.event_count, 0),
       quantity = coalesce(CASE wanted.aggregation
           WHEN 'max' THEN computed.max
           WHEN 'min' THEN computed.min
           WHEN 'latest' THEN computed.last_value
           WHEN 'time_weighted_sum' THEN computed.area
           WHEN 'unique_count' THEN (
               SELECT count(*) FROM usage_unique{{unit}} AS known
                WHERE known.customer_id = wanted.customer_id AND known.meter_id = wanted.meter_id
                  AND known.bucket = wanted.bucket AND known.dimension_set_id = wanted.dimension_set_id)
           ELSE computed.sum END, 0),
       first_at = CASE WHEN wanted.aggregation = 'time_weighted_sum' THEN computed.first_at END,
       last_at = CASE WHEN wanted.aggregation IN ('max', 'min', 'latest', 'time_weighted_sum')
                      THEN computed.last_at END,
       last_value = CASE WHEN wanted.aggregation = 'time_weighted_sum' THEN computed.last_value END
  FROM wanted LEFT JOIN computed USING ({KEY})
 WHERE total.customer_id = wanted.customer_id AND total.meter_id = wanted.meter_id
   AND total.bucket = wanted.bucket AND total.dimension_set_id = wanted.dimension_set_id
"""
# The hours are read once, whatever the number of meters and dimension sets. A level has no area of its own.
READ = f"""
    SELECT wanted.customer_id, wanted.meter_id, wanted.bucket, wanted.dimension_set_id, 1 AS event_count,
           reading."timestamp" AS first_at, reading."timestamp" AS last_at, number.value AS last_value,
           CASE WHEN wanted.aggregation = 'time_weighted_sum' THEN 0 ELSE number.value END AS quantity
      FROM (SELECT DISTINCT customer_id, bucket FROM wanted) AS hour
      {READINGS.format("hour")}
      JOIN wanted ON wanted.customer_id = reading.customer_id AND wanted.meter_id = reading.meter_id
       AND wanted.bucket = hour.bucket AND wanted.dimension_set_id = reading.dimension_set_id
     CROSS JOIN LATERAL (
        SELECT CASE WHEN wanted.aggregation <> 'unique_count' THEN reading.value::numeric END AS value
     ) AS number
"""
# Maximum, minimum and latest are their own last value.
FOLD = """
    SELECT wanted.customer_id, wanted.meter_id, wanted.bucket, wanted.dimension_set_id, hour.event_count,
           hour.first_at, hour.last_at, hour.quantity,
           CASE WHEN wanted.aggregation = 'time_weighted_sum' THEN hour.last_value ELSE hour.quantity END
               AS last_value
      FROM wanted JOIN usage_rolluphour AS hour
        ON hour.customer_id = wanted.customer_id AND hour.meter_id = wanted.meter_id
       AND hour.bucket >= wanted.bucket AND hour.bucket < wanted.bucket + interval '24 hours'
       AND hour.dimension_set_id = wanted.dimension_set_id
"""
HOURS = (REBUILD.format(unit="hour", part=READ), DELETE_EMPTY.format(unit="hour"))
DAYS = (REBUILD.format(unit="day", part=FOLD), DELETE_EMPTY.format(unit="day"))

HOUR_VALUES = (
    f"DELETE FROM usage_uniquehour WHERE {OF_WANTED}",
    f"""
WITH wanted AS ({WANTED})
INSERT INTO usage_uniquehour ({KEY}, value_hash, event_count)
SELECT wanted.customer_id, wanted.meter_id, wanted.bucket, wanted.dimension_set_id,
       {VALUE_HASH} AS value_hash, count(*)
  FROM (SELECT DISTINCT customer_id, bucket FROM wanted) AS hour
  {READINGS.format("hour")}
  JOIN wanted
    ON wanted.customer_id = reading.customer_id AND wanted.meter_id = reading.meter_id
   AND wanted.bucket = hour.bucket AND wanted.dimension_set_id = reading.dimension_set_id
  JOIN catalog_meter AS meter ON meter.id = wanted.meter_id AND meter.aggregation = 'unique_count'
 GROUP BY wanted.customer_id, wanted.meter_id, wanted.bucket, wanted.dimension_set_id, value_hash
""",
)
DAY_VALUES = (
    f"DELETE FROM usage_uniqueday WHERE {OF_WANTED}",
    f"""
INSERT INTO usage_uniqueday ({KEY}, value_hash, event_count)
SELECT wanted.customer_id, wanted.meter_id, wanted.bucket, wanted.dimension_set_id,
       hour.value_hash, sum(hour.event_count)
  FROM ({WANTED}) AS wanted JOIN usage_uniquehour AS hour
    ON hour.customer_id = wanted.customer_id AND hour.meter_id = wanted.meter_id
   AND hour.bucket >= wanted.bucket AND hour.bucket < wanted.bucket + interval '24 hours'
   AND hour.dimension_set_id = wanted.dimension_set_id
 GROUP BY wanted.customer_id, wanted.meter_id, wanted.bucket, wanted.dimension_set_id, hour.value_hash
""",
)
