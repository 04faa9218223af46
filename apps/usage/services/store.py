"""The SQL of ingestion: whole batches as arrays, rows in key order, never a query for one event."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, localcontext

import msgspec
from django.db import connection

from apps.usage.services.decide import Countable, Uncountable

# Sums of values below 10^19 with 18 decimals: exact, or an error, never rounded.
EXACT = Context(prec=100, traps=[Inexact])

Dimensions = tuple[tuple[str, str], ...]

INSERT_EVENTS = """
INSERT INTO usage_usageevent (key, content_hash, source, event_id, event_name, customer_id, "timestamp",
                              received_at, properties, meter_ids, "values", dimension_set_ids)
SELECT key, content_hash, source, event_id, event_name, customer_id, "timestamp", %s,
       properties::jsonb, meter_ids::bigint[], "values"::numeric[], dimension_set_ids::bigint[]
  FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[],
              %s::text[], %s::text[], %s::text[], %s::text[])
       AS batch(key, content_hash, source, event_id, event_name, customer_id, "timestamp",
                properties, meter_ids, "values", dimension_set_ids)
    ON CONFLICT (key) DO NOTHING
RETURNING key
"""

INSERT_QUARANTINED = """
INSERT INTO usage_quarantinedevent (key, content_hash, source, event_id, event_name, customer_reference,
                                    "timestamp", received_at, properties, reason, status)
SELECT key, content_hash, source, event_id, event_name, customer_reference, "timestamp", %s,
       properties::jsonb, reason, 'waiting'
  FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
              %s::text[], %s::text[])
       AS batch(key, content_hash, source, event_id, event_name, customer_reference, "timestamp",
                properties, reason)
    ON CONFLICT (key) DO UPDATE SET key = excluded.key
RETURNING key, content_hash
"""

ADD_TO_ROLLUP = """
INSERT INTO {table} AS total (customer_id, meter_id, bucket, dimension_set_id, quantity, event_count)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::numeric[], %s::bigint[])
    ON CONFLICT (customer_id, meter_id, bucket, dimension_set_id)
    DO UPDATE SET quantity = total.quantity + excluded.quantity,
                  event_count = total.event_count + excluded.event_count
"""


class Metered:
    """A countable event with its dimension sets as numbers."""

    __slots__ = ("countable", "dimension_set_ids")

    def __init__(self, countable: Countable, dimension_set_ids: list[int]) -> None:
        self.countable = countable
        self.dimension_set_ids = dimension_set_ids


def insert_events(countables: list[Countable], *, received_at: datetime) -> dict[str, Metered]:
    """Insert what is new; returns it by key. Waits for another batch that holds the same key."""
    if not countables:
        return {}
    sets = dimension_set_ids({reading.dimensions for one in countables for reading in one.readings})
    by_key = {
        one.event.key: Metered(one, [sets[reading.dimensions] for reading in one.readings])
        for one in sorted(countables, key=lambda one: one.event.key)
    }
    rows = list(by_key.values())
    events = [row.countable.event for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT_EVENTS,
            [
                received_at,
                array(by_key),
                array(event.content_hash for event in events),
                text_array(event.source for event in events),
                text_array(event.event_id for event in events),
                text_array(event.event_name for event in events),
                array(row.countable.customer_id for row in rows),
                array(event.timestamp.isoformat() for event in events),
                text_array(event.properties_json for event in events),
                text_array(array(reading.meter_id for reading in row.countable.readings) for row in rows),
                text_array(
                    array(format(reading.value, "f") for reading in row.countable.readings) for row in rows
                ),
                text_array(array(row.dimension_set_ids) for row in rows),
            ],
        )
        inserted = {key.hex for (key,) in cursor.fetchall()}
    return {key: row for key, row in by_key.items() if key in inserted}


def array(items: Iterable[object]) -> str:
    """An array literal of items that need no quotes: numbers, hashes, instants.

    psycopg writes lists item by item, which costs more than everything else here together.
    """
    return "{" + ",".join(map(str, items)) + "}"


def text_array(items: Iterable[str]) -> str:
    """An array literal of texts. Quotes and backslashes are escaped, which is all that its syntax asks for."""
    return (
        "{" + ",".join(['"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items]) + "}"
    )


def stored_contents(keys: list[str]) -> dict[str, str]:
    """The content hashes of those keys that are accepted events."""
    return contents("SELECT key, content_hash FROM usage_usageevent WHERE key = ANY(%s::uuid[])", keys)


def quarantined_contents(keys: Iterable[str]) -> dict[str, tuple[str, datetime]]:
    """Content hash and time of those keys that are, or once were, in quarantine."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT key, content_hash, "timestamp" FROM usage_quarantinedevent WHERE key = ANY(%s::uuid[])',
            [array(keys)],
        )
        return {key.hex: (content.hex, timestamp) for key, content, timestamp in cursor.fetchall()}


def contents(query: str, keys: list[str]) -> dict[str, str]:
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(query, [array(keys)])
        return {key.hex: content.hex for key, content in cursor.fetchall()}


def insert_quarantined(uncountables: list[Uncountable], *, received_at: datetime) -> dict[str, str]:
    """Keep them for staff. Returns the content held under each key, which another batch may have written first."""
    if not uncountables:
        return {}
    rows = sorted(uncountables, key=lambda one: one.event.key)
    events = [row.event for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT_QUARANTINED,
            [
                received_at,
                array(event.key for event in events),
                array(event.content_hash for event in events),
                text_array(event.source for event in events),
                text_array(event.event_id for event in events),
                text_array(event.event_name for event in events),
                text_array(event.customer for event in events),
                array(event.timestamp.isoformat() for event in events),
                text_array(event.properties_json for event in events),
                array(row.reason.value for row in rows),
            ],
        )
        return {key.hex: content.hex for key, content in cursor.fetchall()}


def mark_replayed(keys: Iterable[str], *, now: datetime) -> None:
    """Events that waited and are accepted now. Rows are locked in the order of their keys."""
    wanted = array(keys)
    if wanted == "{}":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE usage_quarantinedevent AS event SET status = 'replayed', replayed_at = %s"
            " FROM (SELECT id FROM usage_quarantinedevent WHERE key = ANY(%s::uuid[]) AND status = 'waiting'"
            " ORDER BY key FOR UPDATE) AS locked WHERE event.id = locked.id",
            [now, wanted],
        )


def add_to_rollups(inserted: Iterable[Metered]) -> None:
    """Add the readings of newly inserted events to their hours and days (UTC). Hours first, each in key order."""
    hours: dict[tuple[int, int, datetime, int], tuple[Decimal, int]] = {}
    days: dict[tuple[int, int, datetime, int], tuple[Decimal, int]] = {}
    with localcontext(EXACT):
        for row in inserted:
            timestamp = row.countable.event.timestamp.astimezone(UTC)
            hour = timestamp.replace(minute=0, second=0, microsecond=0)
            customer_id = row.countable.customer_id
            for reading, set_id in zip(row.countable.readings, row.dimension_set_ids, strict=True):
                key = (customer_id, reading.meter_id, hour, set_id)
                quantity, count = hours.get(key, (Decimal(0), 0))
                hours[key] = (quantity + reading.value, count + 1)
        for (customer_id, meter_id, hour, set_id), (quantity, count) in hours.items():
            key = (customer_id, meter_id, hour.replace(hour=0), set_id)
            total, events = days.get(key, (Decimal(0), 0))
            days[key] = (total + quantity, events + count)
    for table, totals in (("usage_rolluphour", hours), ("usage_rollupday", days)):
        if totals:
            upsert(table, totals)


def upsert(table: str, totals: dict[tuple[int, int, datetime, int], tuple[Decimal, int]]) -> None:
    keys = sorted(totals)
    columns = [
        array(customer_id for customer_id, _, _, _ in keys),
        array(meter_id for _, meter_id, _, _ in keys),
        array(bucket.isoformat() for _, _, bucket, _ in keys),
        array(set_id for _, _, _, set_id in keys),
        array(format(totals[key][0], "f") for key in keys),
        array(totals[key][1] for key in keys),
    ]
    with connection.cursor() as cursor:
        cursor.execute(ADD_TO_ROLLUP.format(table=table), columns)


def dimension_set_ids(wanted: set[Dimensions]) -> dict[Dimensions, int]:
    """Number each combination of dimension values, making those that are new. One query when all are known."""
    by_key = {dimension_key(dimensions): dimensions for dimensions in wanted}
    found = numbers_of(list(by_key))
    missing = sorted(by_key.keys() - found.keys())
    if missing:
        with connection.cursor() as cursor:
            cursor.execute(
                'INSERT INTO usage_dimensionset (key, "values")'
                " SELECT key, content::jsonb FROM unnest(%s::uuid[], %s::text[]) AS fresh(key, content)"
                " ON CONFLICT (key) DO NOTHING",
                [
                    array(missing),
                    text_array(msgspec.json.encode(dict(by_key[key])).decode() for key in missing),
                ],
            )
        # Read again: another batch may have made the same ones, and its numbers count.
        found |= numbers_of(missing)
    # Two meters may name the same dimensions in another order: both orders are asked for, one set is stored.
    return {dimensions: found[dimension_key(dimensions)] for dimensions in wanted}


def numbers_of(keys: list[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, id FROM usage_dimensionset WHERE key = ANY(%s::uuid[])", [array(keys)])
        return {key.hex: number for key, number in cursor.fetchall()}


def dimension_key(dimensions: Dimensions) -> str:
    content = msgspec.json.encode(sorted(dimensions))
    return hashlib.blake2b(content, digest_size=16).hexdigest()
