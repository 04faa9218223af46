"""Take in a batch of events: a verdict for each, everything stored and added up in one transaction.

The number of statements does not depend on the number of events. Rows are written in the order of their keys,
and tables always in the same order, so that two batches wait for each other. Should they deadlock all the
same, one of them starts anew. Rollups come last: the rows of a busy customer are held only until the commit.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected

from apps.core import lookups
from apps.usage.services import columns, health, rollups, store, too_late, verdicts
from apps.usage.services.careful import CarefullyRead, Learned, Uncountable, read_carefully
from apps.usage.services.columns import Columns, Group
from apps.usage.services.memory import Memory, recall
from apps.usage.services.partitions import ensure_partitions
from apps.usage.services.reading import Row, read_fast
from apps.usage.services.validate import (
    EARLIEST,
    MAX_FUTURE,
    ParsedEvent,
    Rejection,
    instant_of,
    micros_of,
    parse_event,
)
from apps.usage.wire.event import WireEvent
from apps.usage.wire.verdict import AllAccepted, Verdict

__all__ = ["ingest", "settle"]

DEADLOCK_RETRIES = 3
NOTHING_LEARNED = Learned({}, [], {})


def ingest(*, events: list[Any], now: datetime, earliest: datetime | None = None) -> Sequence[Verdict]:
    """Store a batch of events (`WireEvent`s or decoded JSON); one verdict for each, in their order.

    Durable when it returns, unless it is called inside a transaction. Of two events with one id the first
    counts; the other is a duplicate (same content) or a conflict (another content). `earliest` takes the place
    of the tenant's limit for backdating.
    """
    return patiently(Batch(events, [], now, earliest))


def settle(*, parsed: list[ParsedEvent], now: datetime) -> Sequence[Verdict]:
    """The same for well-formed events, at whatever time they lie."""
    return patiently(Batch([], parsed, now, None))


class Batch:
    """The events of one transaction: `events` as they came, or `parsed` ones."""

    def __init__(
        self, events: list[Any], parsed: list[ParsedEvent], now: datetime, earliest: datetime | None
    ) -> None:
        self.events = events
        self.parsed = parsed
        self.now = now
        self.earliest = earliest

    def __len__(self) -> int:
        return len(self.events) or len(self.parsed)


def patiently(batch: Batch) -> Sequence[Verdict]:
    """Rows are locked in one order, so deadlocks are rare; PostgreSQL ends one by failing a batch, which is
    then taken anew. Inside a transaction of the caller's nothing can be tried again.
    """
    for _ in range(DEADLOCK_RETRIES):
        try:
            return take(batch)
        except OperationalError as error:
            if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                raise
    return take(batch)


def take(batch: Batch) -> Sequence[Verdict]:
    """First as if every id were new, which most are. When one is not, again and carefully."""
    if not len(batch):
        return []
    may_remember = lookups.may_remember()
    try:
        return attempt(batch, may_remember=may_remember, is_hopeful=True)
    except store.TakenError:
        return attempt(batch, may_remember=may_remember, is_hopeful=False)


def attempt(batch: Batch, *, may_remember: bool, is_hopeful: bool) -> Sequence[Verdict]:
    with transaction.atomic():
        memory = recall(begin(), may_remember=may_remember)
        outcome = settle_in(batch, memory, is_hopeful=is_hopeful and not memory.expects_repeats)
    if may_remember:
        outcome.learned.put_into(memory)
        memory.expects_repeats = outcome.has_repeats
    return outcome.verdicts


def begin() -> int:
    """Share the lock of all batches, and read the version of what processes remember."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT usage_begin()")
        version: int = cursor.fetchone()[0]
        return version


class Outcome:
    def __init__(self, verdicts: Sequence[Verdict], learned: Learned, *, has_repeats: bool) -> None:
        self.verdicts = verdicts
        self.learned = learned
        self.has_repeats = has_repeats


def settle_in(batch: Batch, memory: Memory, *, is_hopeful: bool) -> Outcome:
    """Order of the writes: keys, events, quarantine, rollups, counters."""
    found: dict[int, Verdict] = {}
    groups, left = read_together(batch, memory)
    rows, carefully = read_rest(batch, memory, left, found)
    waiting = carefully.waiting if carefully else []
    learned = carefully.learned if carefully else NOTHING_LEARNED
    stored = Columns.of(groups, rows) if is_hopeful and not waiting else None
    if stored is not None:
        ensure_partitions_for(stored.micros)
        store.insert_columns(stored, received_at=batch.now)
        rollups.add_together(groups, rows, days_before=memory.days_before)
        answers = all_accepted(batch, groups, rows, found)
        health.count(answers, stored.micros, now=batch.now)
        return Outcome(answers, learned, has_repeats=False)
    rows += [row for group in groups for row in group.rows()]
    rows, waiting, repeats = firsts_of(rows, waiting)
    accepted, has_repeats = insert_carefully(rows, waiting, repeats, found, now=batch.now)
    rollups.add(accepted, days_before=memory.days_before)
    answers = all_accepted(batch, [], accepted, found)
    health.count(answers, [row.micros for row in accepted], now=batch.now)
    return Outcome(answers, learned, has_repeats=has_repeats)


def all_accepted(
    batch: Batch, groups: list[Group], rows: list[Row], found: dict[int, Verdict]
) -> Sequence[Verdict]:
    """Of all events that have no other verdict."""
    if batch.events and not found:
        return AllAccepted(batch.events)
    for row in (*rows, *(row for group in groups for row in group.rows())):
        found[row.position] = Verdict(row.position, row.event_id.decode(), "accepted")
    return [found[index] for index in range(len(batch))]


def bounds_of(batch: Batch, memory: Memory) -> tuple[datetime, datetime]:
    return max(
        EARLIEST, too_late.earliest_of(batch.earliest) or batch.now - memory.backdating
    ), batch.now + MAX_FUTURE


def read_together(batch: Batch, memory: Memory) -> tuple[list[Group], list[int]]:
    """What can be read in columns, and the places of the other events."""
    earliest, latest = bounds_of(batch, memory)
    return columns.read_columns(
        batch.events, memory, now=batch.now, earliest=micros_of(earliest), latest=micros_of(latest)
    )


def read_rest(
    batch: Batch, memory: Memory, left: list[int], found: dict[int, Verdict]
) -> tuple[list[Row], CarefullyRead | None]:
    """Rows of the other events that count; what is malformed gets its verdict."""
    rows: list[Row] = []
    parsed = batch.parsed
    if batch.events:
        earliest, latest = bounds_of(batch, memory)
        rows, left = read_fast(
            batch.events,
            memory,
            now=batch.now,
            earliest=micros_of(earliest),
            latest=micros_of(latest),
            positions=left,
        )
        parsed = []
        for index in left:
            raw = batch.events[index]
            try:
                parsed.append(parse_event(raw, index=index, now=batch.now, earliest=earliest))
            except Rejection as rejection:
                found[index] = verdicts.rejected(index, id_of(raw), rejection)
    if not parsed:
        return rows, None
    carefully = read_carefully(parsed, memory)
    for event, why in carefully.rejected:
        found[event.index] = verdicts.rejected(event.index, event.event_id, why)
    return rows + carefully.rows, carefully


def id_of(raw: Any) -> str | None:
    given = raw.id if isinstance(raw, WireEvent) else raw.get("id") if isinstance(raw, dict) else None
    return given if isinstance(given, str) else None


def firsts_of(
    rows: list[Row], waiting: list[Uncountable]
) -> tuple[list[Row], list[Uncountable], list[Row | Uncountable]]:
    """The first of each key in the order of keys, and the others in the order of the batch."""
    every: list[Row | Uncountable] = [*rows, *waiting]
    every.sort(key=index_of)
    first: dict[bytes, Row | Uncountable] = {}
    repeats = [one for one in every if first.setdefault(key_of(one), one) is not one]
    ordered = [first[key] for key in sorted(first)]
    return (
        [one for one in ordered if isinstance(one, Row)],
        [one for one in ordered if isinstance(one, Uncountable)],
        repeats,
    )


def key_of(one: Row | Uncountable) -> bytes:
    return one.key if isinstance(one, Row) else one.event.key


def index_of(one: Row | Uncountable) -> int:
    return one.position if isinstance(one, Row) else one.event.index


def content_of(one: Row | Uncountable) -> int:
    return one.content if isinstance(one, Row) else one.event.content


def insert_carefully(
    rows: list[Row],
    waiting: list[Uncountable],
    repeats: list[Row | Uncountable],
    found: dict[int, Verdict],
    *,
    now: datetime,
) -> tuple[list[Row], bool]:
    """Insert what is new; the others get their verdicts. Returns what is accepted, and whether ids were known.

    An event that waited in quarantine counts at the time it first came with, whoever brings it back: a retry
    without a timestamp must not move it to another period. Where events are archived it goes on waiting.
    """
    ensure_partitions_for(row.micros for row in rows)
    new = store.insert_new_keys(rows)
    newly_waiting = store.insert_waiting_keys(waiting)
    wanted = {row.key for row in rows} | {one.event.key for one in waiting}
    held = store.held_under(wanted - new - newly_waiting)
    freed = []
    for row in rows:
        if row.key in held:
            content, timestamp, is_waiting = held[row.key]
            if is_waiting and content == row.content:
                freed.append(row._replace(micros=micros_of(timestamp)))
    freed, late = too_late.parted(freed)
    ensure_partitions_for(row.micros for row in freed)
    taken = store.accept_waiting(freed, now=now)
    accepted = [row for row in rows if row.key in new] + [row for row in freed if row.key in taken]
    if accepted:
        accepted.sort()
        store.insert_events(accepted, received_at=now)
    store.insert_quarantined([one for one in waiting if one.event.key in newly_waiting], received_at=now)

    # What is held under each key, whoever put it there; whether it counts.
    counts = {row.key: (row.content, True) for row in accepted}
    counts |= {one.event.key: (one.event.content, False) for one in waiting if one.event.key in newly_waiting}
    for key, (content, _, is_waiting) in held.items():
        counts.setdefault(key, (content, not is_waiting))
    settled = {row.position for row in accepted}
    every: list[Row | Uncountable] = [*rows, *waiting, *repeats]
    for one in every:
        index = index_of(one)
        if index not in settled:
            found[index] = verdict_on(one, *counts[key_of(one)])
    found |= {row.position: verdicts.archived(row.position, row.event_id.decode()) for row in late}
    return accepted, bool(held)


def verdict_on(one: Row | Uncountable, content: int, is_counted: bool) -> Verdict:
    """An event whose id is taken: it waits, is a retry, or contradicts."""
    if isinstance(one, Row):
        index, event_id = one.position, one.event_id.decode()
    else:
        index, event_id = one.event.index, one.event.event_id
        if content == one.event.content and not is_counted:
            return verdicts.quarantined(one.event, one.reason)
    if content == content_of(one):
        return verdicts.duplicate(index, event_id)
    return verdicts.conflict(index, event_id)


def ensure_partitions_for(instants: Iterable[int]) -> None:
    """Of instants in microseconds since 1970."""
    days = {micros // rollups.DAY for micros in instants}
    ensure_partitions([instant_of(0) + timedelta(days=day) for day in days])
