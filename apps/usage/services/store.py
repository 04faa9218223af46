"""The SQL of ingestion: whole batches as arrays, rows in key order, never a statement for one event."""

from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError
from psycopg.errors import UniqueViolation

from apps.usage.services.careful import Uncountable
from apps.usage.services.columns import Columns
from apps.usage.services.pack import bigints, execute, instants, integers, texts, uuids
from apps.usage.services.reading import Row

# Arrays of one length, unnested side by side: in a FROM clause each of them would be written down first.
KEYS = """
INSERT INTO usage_eventkey (key, content, "timestamp", customer_id)
SELECT unnest(%s::uuid[]), unnest(%s::bigint[]), unnest(%s::timestamptz[]), unnest(%s::bigint[])
"""
EVENTS = """
INSERT INTO usage_usageevent (received_at, "timestamp", customer_id, shape_id, event_id, property_values)
SELECT %s::timestamptz, unnest(%s::timestamptz[]), unnest(%s::bigint[]), unnest(%s::integer[]), unnest(%s::text[]),
       unnest(%s::text[])
"""
NEW_KEYS = KEYS + "ON CONFLICT (key) DO NOTHING RETURNING key"
# An id that waits has no customer.
WAITING_KEYS = """
INSERT INTO usage_eventkey (key, content, "timestamp")
SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) ON CONFLICT (key) DO NOTHING RETURNING key
"""
# The rows are locked in the order of their keys; whoever comes second finds a customer there.
ACCEPT_WAITING = """
UPDATE usage_eventkey AS event SET customer_id = locked.customer_id
  FROM (SELECT held.key, batch.customer_id FROM usage_eventkey AS held
          JOIN unnest(%s::uuid[], %s::bigint[]) AS batch(key, customer_id) ON batch.key = held.key
         ORDER BY held.key FOR UPDATE OF held) AS locked
 WHERE event.key = locked.key AND event.customer_id IS NULL
RETURNING event.key
"""
QUARANTINE = """
INSERT INTO usage_quarantinedevent (key, content, source, event_id, event_name, customer_reference,
                                    "timestamp", received_at, properties, reason, status)
SELECT key, content, source, event_id, event_name, customer_reference, "timestamp", %s,
       properties::jsonb, reason, 'waiting'
  FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
              %s::text[], %s::text[])
       AS batch(key, content, source, event_id, event_name, customer_reference, "timestamp",
                properties, reason)
"""


class TakenError(Exception):
    """One of the keys is taken. The transaction can't go on."""


def insert_columns(columns: Columns, *, received_at: datetime) -> None:
    """Insert events that are new, all of them; the cheapest statements there are.

    Raises `TakenError`, at once or after waiting for another batch that holds a key.
    """
    if not columns.keys:
        return
    times, customers = instants(columns.micros), bigints(columns.customer_ids)
    try:
        execute(KEYS, [uuids(columns.keys), bigints(columns.contents), times, customers])
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            raise TakenError from error
        raise
    execute(
        EVENTS,
        [
            received_at,
            times,
            customers,
            integers(columns.shape_ids),
            texts(columns.event_ids),
            texts(columns.property_values),
        ],
    )


def insert_events(rows: list[Row], *, received_at: datetime) -> None:
    execute(
        EVENTS,
        [
            received_at,
            instants([row.micros for row in rows]),
            bigints([row.customer_id for row in rows]),
            integers([row.shape.pk for row in rows]),
            texts([row.event_id for row in rows]),
            texts([row.property_values for row in rows]),
        ],
    )


def key_columns(rows: list[Row]) -> list[object]:
    return [
        uuids([row.key for row in rows]),
        bigints([row.content for row in rows]),
        instants([row.micros for row in rows]),
        bigints([row.customer_id for row in rows]),
    ]


def insert_new_keys(rows: list[Row]) -> set[bytes]:
    """Insert the keys (sorted) that are not taken, and say which. Waits for another batch that holds one."""
    return {key.bytes for (key,) in execute(NEW_KEYS, key_columns(rows))} if rows else set()


def insert_waiting_keys(waiting: list[Uncountable]) -> set[bytes]:
    """The same for events that wait (sorted by key)."""
    if not waiting:
        return set()
    events = [one.event for one in waiting]
    columns = [
        uuids([event.key for event in events]),
        bigints([event.content for event in events]),
        instants([event.micros for event in events]),
    ]
    return {key.bytes for (key,) in execute(WAITING_KEYS, columns)}


def held_under(keys: Iterable[bytes]) -> dict[bytes, tuple[int, datetime, bool]]:
    """Content and time of what is held under these keys, and whether it waits in quarantine."""
    wanted = sorted(keys)
    if not wanted:
        return {}
    rows = execute(
        'SELECT key, content, "timestamp", customer_id IS NULL FROM usage_eventkey WHERE key = ANY(%s::uuid[])',
        [uuids(wanted)],
    )
    return {key.bytes: (content, timestamp, is_waiting) for key, content, timestamp, is_waiting in rows}


def accept_waiting(rows: list[Row], *, now: datetime) -> set[bytes]:
    """Give events that waited (sorted by key) their customer. Returns those that no other batch took first."""
    if not rows:
        return set()
    columns = [uuids([row.key for row in rows]), bigints([row.customer_id for row in rows])]
    taken = {key.bytes for (key,) in execute(ACCEPT_WAITING, columns)}
    execute(
        "UPDATE usage_quarantinedevent SET status = 'replayed', replayed_at = %s WHERE key = ANY(%s::uuid[])",
        [now, uuids(sorted(taken))],
    )
    return taken


def insert_quarantined(waiting: list[Uncountable], *, received_at: datetime) -> None:
    """Keep new events for staff."""
    if not waiting:
        return
    events = [one.event for one in waiting]
    execute(
        QUARANTINE,
        [
            received_at,
            uuids([event.key for event in events]),
            bigints([event.content for event in events]),
            texts([event.source.encode() for event in events]),
            texts([event.event_id.encode() for event in events]),
            texts([event.event_name.encode() for event in events]),
            texts([event.customer.encode() for event in events]),
            instants([event.micros for event in events]),
            texts([event.properties_json for event in events]),
            texts([one.reason.value.encode() for one in waiting]),
        ],
    )
