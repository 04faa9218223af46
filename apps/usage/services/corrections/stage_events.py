"""Take events into an open backfill: judged as ingestion would, kept apart, and not counted."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.core.errors import Refused
from apps.customers.selectors import customer_ids_by_reference
from apps.usage.models import BackfillEvent, UsageBackfill
from apps.usage.models.backfill import MAX_STAGED
from apps.usage.services import ingest, verdicts
from apps.usage.services.careful import read_carefully
from apps.usage.services.corrections.backfills import Status, locked, refuse_unless
from apps.usage.services.memory import recall
from apps.usage.services.pack import bigints, execute, instants, texts, uuids
from apps.usage.services.validate import EARLIEST, ParsedEvent, Rejection, micros_of, parse_event
from apps.usage.wire.event import WireEvent
from apps.usage.wire.verdict import Verdict

INSERT = """
INSERT INTO usage_backfillevent (backfill_id, key, content, source, event_id, event_name, customer_reference,
                                 "timestamp", properties, verdict, code)
SELECT %s, batch.*, 'staged', ''
  FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
       AS batch
    ON CONFLICT (backfill_id, key) DO NOTHING RETURNING key
"""


@transaction.atomic
def stage_events(*, backfill: UsageBackfill, events: list[Any], now: datetime) -> list[Verdict]:
    """A verdict for each event (`WireEvent`s or decoded JSON), in their order.

    `accepted` says that it is staged; what it is worth is decided when the backfill is closed. `duplicate` and
    `conflict` are about this backfill alone. An event that could not count now is `quarantined`: it is staged
    too, for its customer or meter may be there by then. Raises `Refused` not_open and too_many_events.
    """
    backfill = locked(backfill)
    refuse_unless(backfill, Status.OPEN)
    if backfill.staged_count + len(events) > MAX_STAGED:
        raise Refused(
            "too_many_events",
            f"A backfill holds at most {MAX_STAGED:,} events; close it and open another, or report a smaller range.",
        )
    found: dict[int, Verdict] = {}
    parsed = []
    for index, raw in enumerate(events):
        try:
            parsed.append(scoped(backfill, parse_event(raw, index=index, now=now, earliest=EARLIEST), raw))
        except Rejection as rejection:
            found[index] = verdicts.rejected(index, ingest.id_of(raw), rejection)
    parsed = of_customer(backfill, parsed, found)
    memory = recall(ingest.begin(), may_remember=False)
    read = read_carefully(parsed, memory)
    for event, why in read.rejected:
        found[event.index] = verdicts.rejected(event.index, event.event_id, why)
    waiting = {one.event.index: one for one in read.waiting}
    fresh = insert(backfill, [event for event in parsed if event.index not in found], found)
    for event in fresh:
        found[event.index] = (
            verdicts.quarantined(event, waiting[event.index].reason)
            if event.index in waiting
            else Verdict(event.index, event.event_id, "accepted")
        )
    backfill.staged_count += len(fresh)
    backfill.save(update_fields=["staged_count"])
    return [found[index] for index in range(len(events))]


def scoped(backfill: UsageBackfill, event: ParsedEvent, raw: Any) -> ParsedEvent:
    """Raises `Rejection` for what does not belong to the range."""
    given = raw.timestamp if isinstance(raw, WireEvent) else raw.get("timestamp")
    if given is None:
        raise Rejection(
            "missing_timestamp", "/timestamp", "A backfill is about the past: say when it happened."
        )
    if not micros_of(backfill.starts_at) <= event.micros < micros_of(backfill.ends_at):
        raise Rejection(
            "outside_backfill", "/timestamp", "The timestamp is outside the range of the backfill."
        )
    if backfill.event_name and event.event_name != backfill.event_name:
        raise Rejection(
            "outside_backfill", "/event", f"The backfill is about events named {backfill.event_name!r}."
        )
    return event


def of_customer(
    backfill: UsageBackfill, events: list[ParsedEvent], found: dict[int, Verdict]
) -> list[ParsedEvent]:
    """Those of the backfill's customer, if it is about one; the others are rejected."""
    if backfill.customer_id is None or not events:
        return events
    known = customer_ids_by_reference({event.customer for event in events})
    mine = []
    for event in events:
        if known.get(event.customer) == backfill.customer_id:
            mine.append(event)
        else:
            rejection = Rejection("outside_backfill", "/customer", "The backfill is about another customer.")
            found[event.index] = verdicts.rejected(event.index, event.event_id, rejection)
    return mine


def insert(
    backfill: UsageBackfill, events: list[ParsedEvent], found: dict[int, Verdict]
) -> list[ParsedEvent]:
    """Stage what is new; the others are told what they repeat."""
    first: dict[bytes, ParsedEvent] = {}
    for event in events:
        first.setdefault(event.key, event)
    rows = [first[key] for key in sorted(first)]
    new = {key.bytes for (key,) in execute(INSERT, [backfill.pk, *columns(rows)])} if rows else set()
    held = contents_of(backfill, first.keys() - new) | {key: first[key].content for key in new}
    fresh = []
    for event in events:
        if event.key in new and first[event.key] is event:
            fresh.append(event)
        elif held[event.key] == event.content:
            found[event.index] = verdicts.duplicate(event.index, event.event_id)
        else:
            found[event.index] = verdicts.conflict(event.index, event.event_id)
    return fresh


def contents_of(backfill: UsageBackfill, keys: Iterable[bytes]) -> dict[bytes, int]:
    wanted = [key.hex() for key in keys]
    rows = BackfillEvent.objects.filter(backfill=backfill, key__in=wanted).values_list("key", "content")
    return {key.bytes: content for key, content in rows}


def columns(rows: list[ParsedEvent]) -> list[object]:
    return [
        uuids([row.key for row in rows]),
        bigints([row.content for row in rows]),
        texts([row.source.encode() for row in rows]),
        texts([row.event_id.encode() for row in rows]),
        texts([row.event_name.encode() for row in rows]),
        texts([row.customer.encode() for row in rows]),
        instants([row.micros for row in rows]),
        texts([row.properties_json for row in rows]),
    ]
