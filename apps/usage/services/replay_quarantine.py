"""Try quarantined events again, after their customer or meter has been made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from apps.core.api.parsers import decode_json
from apps.usage.models import ArchivedPartition, QuarantinedEvent
from apps.usage.services.ingest import settle
from apps.usage.services.validate import ParsedEvent, canonical_json, micros_of
from apps.usage.wire.verdict import Verdict

Reason = QuarantinedEvent.Reason
BATCH = 1000
TAKEN = ("accepted", "duplicate")


@dataclass(frozen=True, slots=True)
class Replayed:
    """`replayed` events count now; `waiting` ones still miss something."""

    replayed: int
    waiting: int


def replay_quarantine(*, events: QuerySet[QuarantinedEvent], now: datetime) -> Replayed:
    """Settle the waiting ones among `events` as ingestion would, with the time they first came with.

    Each batch is a transaction. An event that was accepted meanwhile (the client sent it again) counts once. Those
    that go on waiting say why they do now. None counts where events are archived.
    """
    waiting = events.filter(status=QuarantinedEvent.Status.WAITING).order_by("key")
    ids = list(waiting.values_list("pk", flat=True))
    replayed = sum(replay_batch(ids[start : start + BATCH], now=now) for start in range(0, len(ids), BATCH))
    return Replayed(replayed=replayed, waiting=len(ids) - replayed)


def replay_batch(ids: list[int], *, now: datetime) -> int:
    rows = QuarantinedEvent.objects.filter(pk__in=ids, status=QuarantinedEvent.Status.WAITING).order_by("key")
    waiting = list(rows.annotate(properties_text=Cast("properties", TextField())))
    kept_from = ArchivedPartition.events_kept_from()
    # Ingestion would find them as well, and make a partition first that stays empty.
    late = [row for row in waiting if kept_from is not None and row.timestamp < kept_from]
    tried = [row for row in waiting if kept_from is None or row.timestamp >= kept_from]
    answers = settle(parsed=[as_parsed(index, row) for index, row in enumerate(tried)], now=now)
    reasons = [(row, (str(Reason.EVENTS_ARCHIVED), "")) for row in late]
    reasons += [
        (row, reason_of(answer))
        for row, answer in zip(tried, answers, strict=True)
        if answer.status not in TAKEN
    ]
    keep_reasons(reasons)
    return len(waiting) - len(reasons)


def reason_of(answer: Verdict) -> tuple[str, str]:
    if answer.status == "rejected":
        return str(Reason.REJECTED), answer.message
    return answer.code, ""


def keep_reasons(waiting: Sequence[tuple[QuarantinedEvent, tuple[str, str]]]) -> None:
    """Why they still wait: a customer may be there by now and the meter not. One statement for each new reason."""
    found: dict[tuple[str, str], list[int]] = {}
    for row, reason in waiting:
        if (row.reason, row.problem) != reason:
            found.setdefault(reason, []).append(row.pk)
    for (code, problem), ids in found.items():
        rows = QuarantinedEvent.objects.filter(pk__in=ids, status=QuarantinedEvent.Status.WAITING)
        rows.update(reason=code, problem=problem)


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
