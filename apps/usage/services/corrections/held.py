"""What is held under many ids at once, and what a range holds: for backfills."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

from django.db import connection

from apps.core.errors import Refused
from apps.usage.models import UsageBackfill
from apps.usage.services.pack import execute, uuids

# The largest range that one step voids; a larger one is replaced in several backfills.
MAX_REPLACED = 500_000

ROOTS = """
SELECT key, content, customer_id IS NULL FROM usage_eventkey WHERE key = ANY(%s::uuid[])
"""
# All revisions, oldest first, with what was sent for them.
REVISIONS = """
SELECT revision.root_key, revision.revision, revision.key, own.content
  FROM usage_eventrevision AS revision JOIN usage_eventkey AS own ON own.key = revision.key
 WHERE revision.root_key = ANY(%s::uuid[]) ORDER BY revision.root_key, revision.revision
"""
VOIDED = "SELECT key FROM usage_voidedevent WHERE key = ANY(%s::uuid[])"
COUNTING_IN_RANGE = """
SELECT event.customer_id, event."timestamp", event.event_id, event.shape_id, shape.source, shape.revision
  FROM usage_usageevent AS event JOIN usage_eventshape AS shape ON shape.id = event.shape_id
 WHERE event."timestamp" >= %s AND event."timestamp" < %s
   AND (%s::bigint IS NULL OR event.customer_id = %s) AND (%s = '' OR shape.event_name = %s)
   AND NOT EXISTS (SELECT FROM usage_voidedevent AS voided
                    WHERE voided.customer_id = event.customer_id AND voided."timestamp" = event."timestamp"
                      AND voided.event_id = event.event_id AND voided.shape_id = event.shape_id)
 LIMIT %s
"""

# Customer, timestamp, id, shape.
EventPlace = tuple[int, datetime, str, int]


@dataclass(slots=True)
class Held:
    """The revisions under one id. `contents` are by their keys, in the order of revisions."""

    contents: dict[bytes, int]
    is_waiting: bool
    counting: bytes | None = None

    @property
    def last_revision(self) -> int:
        return len(self.contents) - 1


def held_under(keys: list[bytes]) -> dict[bytes, Held]:
    """By the key of the id; what was never reported is missing. Three queries."""
    found = {
        key.bytes: Held({key.bytes: content}, is_waiting)
        for key, content, is_waiting in execute(ROOTS, [uuids(keys)])
    }
    for root, _, key, content in execute(REVISIONS, [uuids(keys)]):
        # Retention may have dropped the first of them, and nobody knows any more what it said.
        one = found.setdefault(root.bytes, Held({root.bytes: 0}, is_waiting=False))
        one.contents[key.bytes] = content
    every = sorted(key for one in found.values() for key in one.contents)
    voided = {key.bytes for (key,) in execute(VOIDED, [uuids(every)])}
    for one in found.values():
        one.counting = next((key for key in reversed(one.contents) if key not in voided), None)
    return found


def counting_in_range(backfill: UsageBackfill) -> dict[bytes, EventPlace]:
    """The events that count in the range of a backfill, by their keys. Raises `Refused` range_too_large."""
    customer_id, name = backfill.customer_id, backfill.event_name
    found: dict[bytes, EventPlace] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            COUNTING_IN_RANGE,
            [backfill.starts_at, backfill.ends_at, customer_id, customer_id, name, name, MAX_REPLACED + 1],
        )
        for customer, at, event_id, shape_id, source, revision in cursor:
            found[key_of(source, event_id, revision)] = (customer, at, event_id, shape_id)
    if len(found) > MAX_REPLACED:
        raise Refused(
            "range_too_large",
            f"The range holds more than {MAX_REPLACED:,} events that would be voided; replace it piece by piece.",
        )
    return found


def key_of(source: str, event_id: str, revision: int) -> bytes:
    """As `apps.usage.identity` has it, without the way through text."""
    text = f"{source}\0{event_id}\0{revision}" if revision else f"{source}\0{event_id}"
    return blake2b(text.encode(), digest_size=16).digest()
