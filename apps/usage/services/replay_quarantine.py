"""Try quarantined events again, after their customer or meter has been made."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from apps.usage.models import QuarantinedEvent
from apps.usage.services.ingest import settle
from apps.usage.services.store import mark_replayed
from apps.usage.services.validate import ParsedEvent

BATCH = 1000
TAKEN = ("accepted", "duplicate")


@dataclass(frozen=True, slots=True)
class Replayed:
    """`replayed` events count now; `waiting` ones still miss something or contradict an accepted event."""

    replayed: int
    waiting: int


def replay_quarantine(*, events: QuerySet[QuarantinedEvent], now: datetime) -> Replayed:
    """Settle the waiting ones among `events` as ingestion would, with the time they first came with.

    Each batch is a transaction. An event that was accepted meanwhile (the client sent it again) counts once.
    """
    waiting = events.filter(status=QuarantinedEvent.Status.WAITING).order_by("key")
    ids = list(waiting.values_list("pk", flat=True))
    replayed = sum(replay_batch(ids[start : start + BATCH], now=now) for start in range(0, len(ids), BATCH))
    return Replayed(replayed=replayed, waiting=len(ids) - replayed)


@transaction.atomic
def replay_batch(ids: list[int], *, now: datetime) -> int:
    """Events are written before quarantine rows everywhere, so none of these rows is locked beforehand."""
    rows = QuarantinedEvent.objects.filter(pk__in=ids, status=QuarantinedEvent.Status.WAITING).order_by("key")
    waiting = list(rows.annotate(properties_text=Cast("properties", TextField())))
    verdicts = settle([as_parsed(index, row) for index, row in enumerate(waiting)], now=now)
    taken = [row.key.hex for index, row in enumerate(waiting) if verdicts[index].status in TAKEN]
    mark_replayed(taken, now=now)
    return len(taken)


def as_parsed(index: int, row: QuarantinedEvent) -> ParsedEvent:
    """The event as it was when it came in; numbers are read again without a float."""
    properties_json: str = row.properties_text  # type: ignore[attr-defined]
    return ParsedEvent(
        index=index,
        key=row.key.hex,
        content_hash=row.content_hash.hex,
        source=row.source,
        event_id=row.event_id,
        event_name=row.event_name,
        customer=row.customer_reference,
        timestamp=row.timestamp,
        properties=json.loads(properties_json, parse_float=Decimal, parse_int=Decimal),
        properties_json=properties_json,
    )
