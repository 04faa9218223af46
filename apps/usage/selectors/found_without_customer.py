"""Look for events of all customers, whom no index puts together: by the totals of an hour, or where the newest lie."""

from datetime import UTC, datetime

from django.db import connection

from apps.usage.models import UsageEvent
from apps.usage.selectors.asked import COUNTED, Asked, Found, meters_of
from apps.usage.selectors.events import furnished
from apps.usage.selectors.sql import HOUR_OF

# Without a customer: blocks of 8 kB at the end of the newest partitions, some 60 events in each.
BLOCKS = 1_000
# By time, name or meter: rows of totals, hours of customers, and events of each of these.
TOTALS, PAIRS, EVENTS_OF_PAIR = 5_000, 300, 500
# Of the totals of all meters, where some are asked for: no index knows the meter first.
TOTALS_OF_ALL = 200_000
NOT_VOIDED = """
NOT EXISTS (SELECT FROM usage_voidedevent AS voided
             WHERE voided.customer_id = event.customer_id AND voided."timestamp" = event."timestamp"
               AND voided.event_id = event.event_id AND voided.shape_id = event.shape_id)
"""
READ_BY = """
(shape.meter_ids @> ARRAY[%(meter)s]::bigint[]
 OR EXISTS (SELECT FROM usage_backfilledreading AS later
             WHERE later.customer_id = event.customer_id AND later."timestamp" = event."timestamp"
               AND later.meter_id = %(meter)s AND later.event_id = event.event_id AND later.shape_id = event.shape_id))
"""
IN_HOURS = f"""
WITH hour AS MATERIALIZED (
    SELECT DISTINCT customer_id, bucket
      FROM (SELECT customer_id, bucket
              FROM (SELECT customer_id, bucket, meter_id FROM usage_rolluphour
                     WHERE bucket >= {HOUR_OF.format("%(start)s::timestamptz")} AND bucket < %(end)s
                     ORDER BY bucket DESC LIMIT {{totals}}) AS total
             {{of_meters}} ORDER BY bucket DESC LIMIT {TOTALS}) AS newest
     ORDER BY bucket DESC LIMIT {PAIRS}
)
SELECT event.* FROM hour CROSS JOIN LATERAL (
    SELECT event.* FROM usage_usageevent AS event JOIN usage_eventshape AS shape ON shape.id = event.shape_id
     WHERE event.customer_id = hour.customer_id AND {HOUR_OF.format('event."timestamp"')} = hour.bucket
       AND event."timestamp" >= greatest(hour.bucket, %(start)s)
       AND event."timestamp" < least(hour.bucket + interval '1 hour', %(end)s) {{where}}
     LIMIT {EVENTS_OF_PAIR}) AS event
 ORDER BY event."timestamp" DESC, event.event_id LIMIT %(limit)s OFFSET %(offset)s
"""
NEWEST = """
SELECT event.* FROM ({parts}) AS event JOIN usage_eventshape AS shape ON shape.id = event.shape_id
 WHERE true {where}
 ORDER BY event."timestamp" DESC, event.event_id LIMIT %(limit)s OFFSET %(offset)s
"""
PARTITIONS = """
SELECT child.relname, pg_relation_size(child.oid) / current_setting('block_size')::int
  FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
 WHERE inhparent = 'usage_usageevent'::regclass ORDER BY rpad(child.relname, 25, '9') DESC
"""


def by_hours(asked: Asked, offset: int, limit: int) -> Found:
    """By way of the totals of the hours: they name the customers, whose hours the index knows."""
    start = asked.starts_at or datetime(1, 1, 2, tzinfo=UTC)
    end = asked.ends_at or datetime(9999, 12, 30, tzinfo=UTC)
    params = {**params_of(asked), "start": start, "end": end, "limit": limit, "offset": offset}
    of_meters, totals = "", TOTALS
    if asked.meter_id is not None or asked.event_name:
        of_meters, totals = "WHERE meter_id = ANY(%(meters)s)", TOTALS_OF_ALL
        params["meters"] = meters_of(asked)
    events = UsageEvent.objects.raw(
        IN_HOURS.format(of_meters=of_meters, totals=totals, where=where_of(asked)), params
    )
    return Found(
        furnished(events),
        f"Of each customer and hour {EVENTS_OF_PAIR:,} events are looked at, the latest {PAIRS:,} of these hours. "
        "Choose a customer to see all.",
    )


def newest(asked: Asked, offset: int, limit: int) -> Found:
    """What came in last: the end of the newest partitions, block by block, never more than BLOCKS."""
    parts, left, is_all = [], BLOCKS, True
    with connection.cursor() as cursor:
        cursor.execute(PARTITIONS)
        partitions = [(name, int(blocks)) for name, blocks in cursor.fetchall() if blocks]
    for name, blocks in partitions:
        if left <= 0:
            is_all = False
            break
        since = max(0, blocks - left)
        is_all = is_all and since == 0
        parts.append(f'SELECT * FROM "{name}"' + (f" WHERE ctid >= '({since},0)'::tid" if since else ""))
        left -= blocks
    if not parts:
        return Found([])
    sql = NEWEST.format(parts=" UNION ALL ".join(parts), where=where_of(asked))
    events = UsageEvent.objects.raw(sql, {**params_of(asked), "limit": limit, "offset": offset})
    reach = (
        ""
        if is_all
        else "Looked at the events that came in last. Choose a customer or a time to see older ones."
    )
    return Found(furnished(events), reach)


def where_of(asked: Asked) -> str:
    found = ""
    if asked.event_name:
        found += " AND shape.event_name = %(event_name)s"
    if asked.meter_id is not None:
        found += f" AND {READ_BY}"
    if asked.verdict == COUNTED:
        found += f" AND {NOT_VOIDED}"
    return found


def params_of(asked: Asked) -> dict[str, object]:
    return {"event_name": asked.event_name, "meter": asked.meter_id}
