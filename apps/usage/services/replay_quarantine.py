"""Try quarantined events again, after their customer or meter has been made."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from apps.core.api.parsers import decode_json
from apps.usage.models import QuarantinedEvent
from apps.usage.services.ingest import settle
from apps.usage.services.validate import ParsedEvent, canonical_json, micros_of

BATCH = 1000
TAKEN = ("accepted", "duplicate")


@dataclass(frozen=True, slots=True)
class Replayed:
    """`replayed` events count now; `waiting` ones still miss something."""

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


def replay_batch(ids: list[int], *, now: datetime) -> int:
    rows = QuarantinedEvent.objects.filter(pk__in=ids, status=QuarantinedEvent.Status.WAITING).order_by("key")
    waiting = list(rows.annotate(properties_text=Cast("properties", TextField())))
    answers = settle(parsed=[as_parsed(index, row) for index, row in enumerate(waiting)], now=now)
    return sum(answer.status in TAKEN for answer in answers)


def as_parsed(index: int, row: QuarantinedEvent) -> ParsedEvent:
    """The event as it was when it came in; numbers are read again without a float."""
    properties = decode_json(row.properties_text.encode())  # type: ignore[attr-defined]
    return ParsedEvent(
        index=index,
        key=row.key.bytes,
        content=row.content,
        source=row.source,
        event_id=row.event_id,
        event_name=row.event_name,
        customer=row.customer_reference,
        micros=micros_of(row.timestamp),
        properties=properties,
        properties_json=canonical_json(properties),
    )
