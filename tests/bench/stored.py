"""Millions of events that are there already: made by PostgreSQL itself, with their keys and totals."""

import time
from datetime import datetime

import psycopg

from tests.bench.tenant import SCHEMA

# As ingestion would have stored them over the last three weeks, the customers as unequal as in the workload.
EVENTS = """
INSERT INTO usage_usageevent ("timestamp", received_at, customer_id, shape_id, event_id, property_values)
SELECT at, at, customer.id, shape.id, event_id, format('["%%s",%%s,%%s,"%%s"]',
       (ARRAY['chat', 'search', 'summary', 'agent'])[1 + floor(random() * 4)::int],
       1 + floor(random() * 8000)::int, 1 + floor(random() * 1500)::int,
       (ARRAY['eu', 'us', 'ap'])[1 + floor(random() * 3)::int])
  FROM (SELECT replace(gen_random_uuid()::text, '-', '') AS event_id,
               floor(least(pow(1 - random(), -1 / 0.6), %(customers)s))::int AS number,
               1 + floor(random() * 5)::int AS kind,
               %(start)s::timestamptz + (number - 1) * (%(end)s::timestamptz - %(start)s::timestamptz) / %(events)s
               AS at
          FROM generate_series(1, %(events)s) AS number) AS made
  JOIN (SELECT id, row_number() OVER (ORDER BY id) AS number FROM customers_customer) AS customer USING (number)
  JOIN (SELECT id, row_number() OVER (ORDER BY id) AS kind FROM usage_eventshape) AS shape USING (kind)
"""
WITH_KEYS = f"""
WITH made AS ({EVENTS} RETURNING "timestamp", customer_id)
INSERT INTO usage_eventkey (key, content, "timestamp", customer_id)
SELECT gen_random_uuid(), (random() * 1e18)::bigint, "timestamp", customer_id FROM made
"""
EMPTY = "DELETE FROM usage_rollup{unit} WHERE bucket >= %(start)s AND bucket < %(end)s"
ROLLUP = """
INSERT INTO usage_rollup{unit} (customer_id, meter_id, bucket, dimension_set_id, quantity, event_count)
SELECT customer_id, meter_id, date_trunc('{unit}', "timestamp", 'UTC'), dimension_set_id,
       sum(value::numeric), count(*)
  FROM usage_reading WHERE "timestamp" >= %(start)s AND "timestamp" < %(end)s GROUP BY 1, 2, 3, 4
"""


def store(url: str, *, events: int, start: datetime, end: datetime, customers: int) -> None:
    """Add so many events at even distances over `[start, end)`, whole days of UTC that hold nothing else.

    Their partitions, shapes and customers exist.
    """
    began = time.monotonic()
    given = {"events": events, "start": start, "end": end, "customers": customers}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {SCHEMA}")
        rollups = [text.format(unit=unit) for unit in ("hour", "day") for text in (EMPTY, ROLLUP)]
        for statement in (WITH_KEYS, *rollups):
            connection.execute(statement.encode(), given)
        for table in ("usage_usageevent", "usage_eventkey", "usage_rolluphour", "usage_rollupday"):
            connection.execute(f"VACUUM ANALYZE {table}")
        connection.execute("CHECKPOINT")
    print(f"{events:,} events made in {time.monotonic() - began:.0f} s", flush=True)
