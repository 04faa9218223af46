"""Take in a batch of events: a verdict for each, everything stored and added up in one transaction.

The number of queries does not depend on the number of events. Rows are written in the order of their keys,
and tables always in the same order, so that two batches wait for each other. Should they deadlock all the
same, one of them starts anew.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected

from apps.catalog.selectors import meters_by_event_name
from apps.customers.selectors import customer_ids_by_reference
from apps.usage.models import QuarantinedEvent
from apps.usage.services import store
from apps.usage.services.decide import Catalog, Countable, Uncountable, decide
from apps.usage.services.validate import ParsedEvent, Rejection, parse_event

Reason = QuarantinedEvent.Reason
DEADLOCK_RETRIES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one event of the batch. `code`, `param` and `message` are empty when there is nothing to tell."""

    index: int
    id: str | None
    status: str
    code: str = ""
    param: str = ""
    message: str = ""


def ingest(*, events: list[Any], now: datetime) -> list[Verdict]:
    """Store a batch of decoded events; one verdict for each, in their order.

    Durable when it returns, unless it is called inside a transaction. Of two events with one id the first
    counts; the other is a duplicate (same content) or a conflict (another content).
    """
    verdicts: dict[int, Verdict] = {}
    parsed: list[ParsedEvent] = []
    for index, raw in enumerate(events):
        try:
            parsed.append(parse_event(raw, index=index, now=now))
        except Rejection as rejection:
            given = raw.get("id") if isinstance(raw, dict) else None
            verdicts[index] = rejected(index, given if isinstance(given, str) else None, rejection)
    if parsed:
        verdicts |= settle_patiently(parsed, now=now)
    return [verdicts[index] for index in range(len(events))]


def settle_patiently(parsed: list[ParsedEvent], *, now: datetime) -> dict[int, Verdict]:
    """Rows are locked in one order, so deadlocks are rare; PostgreSQL ends one by failing a batch, which is
    then settled anew. Inside a transaction of the caller's nothing can be tried again.
    """
    for _ in range(DEADLOCK_RETRIES):
        try:
            return settle(parsed, now=now)
        except OperationalError as error:
            if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                raise
    return settle(parsed, now=now)


@transaction.atomic
def settle(parsed: list[ParsedEvent], *, now: datetime) -> dict[int, Verdict]:
    """Decide on well-formed events and store them.

    Order of the writes: events, quarantine, rollups. An event that waited in quarantine counts at the time it
    first came with, whoever brings it back: a retry without a timestamp must not move it to another period.
    """
    catalog = Catalog(
        customers=customer_ids_by_reference({event.customer for event in parsed}),
        meters=meters_by_event_name(),
    )
    verdicts: dict[int, Verdict] = {}
    first_of_key: dict[str, Countable | Uncountable] = {}
    repeats: list[Countable | Uncountable] = []
    for event in parsed:
        try:
            decided = decide(event, catalog)
        except Rejection as rejection:
            verdicts[event.index] = rejected(event.index, event.event_id, rejection)
            continue
        if first_of_key.setdefault(event.key, decided) is not decided:
            repeats.append(decided)

    waited = store.quarantined_contents(first_of_key)
    in_quarantine = {key: content for key, (content, _) in waited.items()}
    fresh = [
        as_it_came(one, waited)
        for one in first_of_key.values()
        if in_quarantine.get(one.event.key, one.event.content_hash) == one.event.content_hash
    ]
    accepted = store.insert_events([one for one in fresh if isinstance(one, Countable)], received_at=now)
    # What the database holds under each key that was not inserted just now.
    stored = store.stored_contents([key for key in first_of_key if key not in accepted])
    waiting = store.insert_quarantined(
        [one for one in fresh if isinstance(one, Uncountable) and one.event.key not in stored],
        received_at=now,
    )
    store.mark_replayed([key for key in accepted if key in in_quarantine], now=now)
    store.add_to_rollups(accepted.values())

    held = {**in_quarantine, **waiting, **stored}
    for key, one in first_of_key.items():
        event = one.event
        if key in accepted:
            verdicts[event.index] = Verdict(event.index, event.event_id, "accepted")
        else:
            verdicts[event.index] = known(one, stored=stored, held=held)
    for one in repeats:
        event = one.event
        if event.key in accepted:
            verdicts[event.index] = repeated(event, first_of_key[event.key].event.content_hash)
        else:
            verdicts[event.index] = known(one, stored=stored, held=held)
    return verdicts


def as_it_came(
    one: Countable | Uncountable, waited: dict[str, tuple[str, datetime]]
) -> Countable | Uncountable:
    if one.event.key not in waited:
        return one
    _, timestamp = waited[one.event.key]
    return replace(one, event=replace(one.event, timestamp=timestamp))


def rejected(index: int, event_id: str | None, rejection: Rejection) -> Verdict:
    return Verdict(
        index, event_id, "rejected", rejection.code, f"/events/{index}{rejection.param}", rejection.message
    )


def known(one: Countable | Uncountable, *, stored: dict[str, str], held: dict[str, str]) -> Verdict:
    """An event whose id is taken, and which was not accepted just now: it waits, is a retry, or contradicts."""
    content = held[one.event.key]
    is_waiting = one.event.key not in stored and content == one.event.content_hash
    if is_waiting and isinstance(one, Uncountable):
        return quarantined(one.event, one.reason)
    return repeated(one.event, content)


def repeated(event: ParsedEvent, stored_content: str) -> Verdict:
    """The id is known: a retry of the same content is a success, another content is not taken."""
    if stored_content == event.content_hash:
        return Verdict(
            event.index, event.event_id, "duplicate", "duplicate", message="This event is known already."
        )
    return Verdict(
        event.index,
        event.event_id,
        "conflict",
        "id_conflict",
        f"/events/{event.index}/id",
        "Another event has this id already, with other content; the first one stays. Give each event its own id.",
    )


QUARANTINE = {
    Reason.UNKNOWN_CUSTOMER: (
        "customer",
        "There is no such customer yet; the event is kept and can be replayed.",
    ),
    Reason.UNKNOWN_METER: (
        "event",
        "No meter counts events of this name yet; the event is kept and can be replayed.",
    ),
    Reason.MISSING_VALUE: (
        "properties",
        "No meter finds its property here; the event is kept and can be replayed.",
    ),
}


def quarantined(event: ParsedEvent, reason: Reason) -> Verdict:
    field, message = QUARANTINE[reason]
    return Verdict(
        event.index,
        event.event_id,
        "quarantined",
        str(reason.value),
        f"/events/{event.index}/{field}",
        message,
    )
