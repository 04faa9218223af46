"""Amend an event: it is voided, and a revision with its id counts in its place."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from apps.core.api.parsers import decode_json
from apps.core.errors import Invalid, Missing, Refused
from apps.usage.identity import revision_key
from apps.usage.models import EventRevision, UsageCorrection, UsageEvent
from apps.usage.services import ingest, rollups, store
from apps.usage.services.careful import Reason, Uncountable, read_carefully
from apps.usage.services.columns import Columns
from apps.usage.services.corrections import totals, turn
from apps.usage.services.corrections.facts import Kind, correct_event, given_reason, refuse_archived
from apps.usage.services.corrections.void_event import counting
from apps.usage.services.memory import recall
from apps.usage.services.reading import Row
from apps.usage.services.rollups import mark
from apps.usage.services.validate import EARLIEST, ParsedEvent, Rejection, instant_of, parse_event
from apps.usage.standing import Standing

CHANGEABLE = ("customer", "timestamp", "properties")


@transaction.atomic
def amend_event(
    *, event_id: str, source: str = "", changes: dict[str, Any], reason: str, now: datetime
) -> UsageCorrection:
    """Let an event count with another customer, timestamp (a datetime) or properties (all of them, anew).

    The revision keeps the id and has an identity of its own: a client that sends the original again is told
    `duplicate`, since its content is still the one that is compared. It is measured by today's meters. Raises
    what `void_event` raises (events_archived for the new time as well), `Missing` customer_not_found, `Refused`
    nothing_changes and not_countable, and `Invalid` for what ingestion would reject.
    """
    assert changes.keys() <= set(CHANGEABLE)
    reason = given_reason(reason)
    turn.take_turn_alone()
    version = ingest.begin()
    standing = counting(event_id=event_id, source=source)
    before = content(standing.event)
    after = {**before, **as_text(changes)}
    if after == before:
        raise Refused("nothing_changes", "The event is like that already.")
    row = row_of(parsed_revision(standing, after, now=now), version)
    refuse_archived(instant_of(row.micros), param="/timestamp")
    correction = correct_event(
        kind=Kind.AMEND,
        standing=standing,
        reason=reason,
        now=now,
        changes={
            "revision": standing.last_revision + 1,
            **{
                name: [shown(before[name]), shown(after[name])]
                for name in after
                if before[name] != after[name]
            },
        },
    )
    totals.take_out(correction)
    insert_revision(row, standing, correction, now=now)
    return correction


def content(event: UsageEvent) -> dict[str, Any]:
    return {
        "customer": event.customer.external_id or event.customer.public_id,
        "timestamp": event.timestamp.astimezone(UTC).isoformat(),
        "properties": decode_json(event.properties_text.encode()),
    }


def as_text(changes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in changes.items()
    }


def parsed_revision(standing: Standing, after: dict[str, Any], *, now: datetime) -> ParsedEvent:
    event = standing.event
    raw: dict[str, Any] = {"id": event.event_id, "event": event.event_name, "source": event.source, **after}
    try:
        parsed = parse_event(raw, index=0, now=now, earliest=EARLIEST)
    except Rejection as rejection:
        raise refusal(rejection) from rejection
    revision = standing.last_revision + 1
    key = revision_key(source=event.source, event_id=event.event_id, revision=revision)
    return replace(parsed, key=bytes.fromhex(key), revision=revision)


def row_of(parsed: ParsedEvent, version: int) -> Row:
    """As ingestion would store it. Raises `Refused` where ingestion would not count it."""
    read = read_carefully([parsed], recall(version, may_remember=False))
    for _, rejection in read.rejected:
        raise refusal(rejection) from rejection
    for waiting in read.waiting:
        raise uncountable(waiting)
    return read.rows[0]


def refusal(rejection: Rejection) -> Invalid:
    return Invalid(rejection.code, rejection.message, param=rejection.param)


def uncountable(waiting: Uncountable) -> Refused:
    if waiting.reason == Reason.UNKNOWN_CUSTOMER:
        return Missing(
            "customer_not_found", f"There is no customer {waiting.event.customer!r}.", param="/customer"
        )
    return Refused(
        "not_countable",
        "No meter in use reads anything off the event as it would be. To count it no more, void it.",
        param="/properties",
    )


def insert_revision(row: Row, standing: Standing, correction: UsageCorrection, *, now: datetime) -> None:
    ingest.ensure_partitions_for([row.micros])
    stored = Columns.of([], [row])
    assert stored is not None, "one key is not there twice"
    store.insert_columns(stored, received_at=now)
    event = standing.event
    EventRevision.objects.create(
        root_key=standing.root_key,
        revision=standing.last_revision + 1,
        key=row.key.hex(),
        customer_id=row.customer_id,
        timestamp=instant_of(row.micros),
        event_id=event.event_id,
        shape_id=row.shape.pk,
        correction=correction,
    )
    rollups.add([row], days_before=mark.days_before())


def shown(value: Any) -> Any:
    """As JSON that keeps every digit: what is no plain JSON is written as text."""
    if isinstance(value, dict):
        return {name: shown(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
