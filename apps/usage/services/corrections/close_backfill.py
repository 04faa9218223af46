"""Close a backfill: in one transaction its events count, and what they replace counts no more."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected

from apps.core.api.parsers import decode_json
from apps.usage.models import BackfillEvent, UsageBackfill, UsageCorrection
from apps.usage.services import ingest, rollups, store
from apps.usage.services.careful import CarefullyRead, read_carefully
from apps.usage.services.corrections import held, totals, turn
from apps.usage.services.corrections.backfills import Status, locked, refuse_unless, scope_of
from apps.usage.services.corrections.facts import Kind, correct_range, refuse_archived
from apps.usage.services.memory import Memory, recall
from apps.usage.services.pack import bigints, execute, instants, integers, texts, uuids
from apps.usage.services.reading import Row
from apps.usage.services.validate import ParsedEvent, micros_of

BATCH = 5_000
DEADLOCK_RETRIES = 3
V = BackfillEvent.Verdict

VOID = """
INSERT INTO usage_voidedevent (customer_id, "timestamp", event_id, shape_id, key, voided_at, correction_id)
SELECT batch.*, %s, %s FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[], %s::uuid[]) AS batch
"""
REVISIONS = """
INSERT INTO usage_eventrevision (root_key, revision, key, customer_id, "timestamp", event_id, shape_id, correction_id)
SELECT batch.*, %s FROM unnest(%s::uuid[], %s::integer[], %s::uuid[], %s::bigint[], %s::timestamptz[], %s::text[],
                               %s::bigint[]) AS batch
"""
VERDICTS = """
UPDATE usage_backfillevent AS staged
   SET verdict = batch.verdict, code = batch.code, accepted_key = nullif(batch.accepted_key, '')::uuid,
       accepted_customer_id = nullif(batch.customer_id, 0), accepted_shape_id = nullif(batch.shape_id, 0)
  FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
       AS batch(key, verdict, code, accepted_key, customer_id, shape_id)
 WHERE staged.backfill_id = %s AND staged.key = batch.key
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a staged event, by the key of its id."""

    root: bytes
    verdict: str
    code: str = ""
    row: Row | None = None


def close_backfill(*, backfill: UsageBackfill, now: datetime) -> UsageBackfill:
    """Let the staged events count. Returns the backfill with its outcome, which says how many got which verdict.

    An id that counts already stays as it is: `duplicate` or `conflict`, also when it was reported while the
    backfill was open. An id that was voided counts again, as a revision. With `replace` what counts in the range
    is voided, but for events that were sent again unchanged. Raises `Refused` not_open, range_too_large and
    events_archived.
    """
    for _ in range(DEADLOCK_RETRIES):
        try:
            return attempt(backfill, now=now)
        except OperationalError as error:
            if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                raise
    return attempt(backfill, now=now)


@transaction.atomic
def attempt(backfill: UsageBackfill, *, now: datetime) -> UsageBackfill:
    """First what is voided, totals included, and then what is new: a total that is read anew must not see both."""
    turn.take_turn()
    memory = recall(ingest.begin(), may_remember=False)
    backfill = locked(backfill)
    refuse_unless(backfill, Status.OPEN)
    refuse_archived(backfill.starts_at)
    replaced = held.counting_in_range(backfill) if backfill.mode == UsageBackfill.Mode.REPLACE else {}
    revisions, settled = judge(backfill, replaced)
    correction = correct_range(
        kind=Kind.BACKFILL_CLOSED,
        backfill=backfill,
        reason=backfill.reason,
        now=now,
        changes=scope_of(backfill),
    )
    void(replaced, correction, now=now)
    totals.rebuild(totals.hours_of(correction))
    accepted: list[Row] = []
    for batch in staged_batches(backfill, revisions):
        done = insert(batch, revisions, correction, memory, now=now)
        settled += done
        # Totals need neither the id nor the values.
        accepted += [
            one.row._replace(event_id=b"", property_values=b"") for one in done if one.row is not None
        ]
    write_verdicts(backfill, settled)
    rollups.add(accepted, days_before=memory.days_before)
    counted = Counter(str(one.verdict) for one in settled)
    backfill.outcome = {**counted, "voided": len(replaced)}
    backfill.status = Status.CLOSED
    backfill.closed_at = now
    backfill.save(update_fields=["outcome", "status", "closed_at"])
    return backfill


def judge(
    backfill: UsageBackfill, replaced: dict[bytes, held.EventPlace]
) -> tuple[dict[bytes, int], list[Settled]]:
    """Which ids are new, with the revisions that they will be, and what becomes of the others.

    What is sent again unchanged is taken out of `replaced`.
    """
    revisions: dict[bytes, int] = {}
    settled = []
    staged = BackfillEvent.objects.filter(backfill=backfill).order_by("key").values_list("key", "content")
    rows = [(key.bytes, content) for key, content in staged.iterator(BATCH)]
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        known = held.held_under([key for key, _ in batch])
        for key, content in batch:
            one = known.get(key)
            if one is None:
                revisions[key] = 0
            elif one.counting is None and not one.is_waiting:
                revisions[key] = one.last_revision + 1
            elif one.counting is not None and content == one.contents[one.counting]:
                replaced.pop(one.counting, None)
                settled.append(Settled(key, V.DUPLICATE, "duplicate"))
            elif one.counting in replaced:
                revisions[key] = one.last_revision + 1
            else:
                # A retry of what was amended since is no contradiction either.
                is_known = content in one.contents.values()
                verdict = (V.DUPLICATE, "duplicate") if is_known else (V.CONFLICT, "id_conflict")
                settled.append(Settled(key, *verdict))
    return revisions, settled


def staged_batches(backfill: UsageBackfill, revisions: dict[bytes, int]) -> Iterator[list[ParsedEvent]]:
    """The staged events that are new, in the order of the keys of their ids."""
    keys = sorted(revisions)
    for start in range(0, len(keys), BATCH):
        wanted = [key.hex() for key in keys[start : start + BATCH]]
        rows = BackfillEvent.objects.filter(backfill=backfill, key__in=wanted).order_by("key")
        yield [parsed(index, row, revisions[row.key.bytes]) for index, row in enumerate(rows)]


def parsed(index: int, row: BackfillEvent, revision: int) -> ParsedEvent:
    encoded = row.properties.encode()
    return ParsedEvent(
        index=index,
        key=held.key_of(row.source, row.event_id, revision),
        content=row.content,
        source=row.source,
        event_id=row.event_id,
        event_name=row.event_name,
        customer=row.customer_reference,
        micros=micros_of(row.timestamp),
        properties=decode_json(encoded),
        properties_json=encoded,
        revision=revision,
    )


def insert(
    events: list[ParsedEvent],
    revisions: dict[bytes, int],
    correction: UsageCorrection,
    memory: Memory,
    *,
    now: datetime,
) -> list[Settled]:
    """Store a batch as ingestion does. Whose id was reported at this very moment is told what holds it."""
    read = read_carefully(events, memory)
    read.learned.put_into(memory)
    roots = [held.key_of(event.source, event.event_id, 0) for event in events]
    rows = sorted(read.rows)
    ingest.ensure_partitions_for(row.micros for row in rows)
    new = store.insert_new_keys(rows)
    fresh = [row for row in rows if row.key in new]
    if fresh:
        store.insert_events(fresh, received_at=now)
    insert_revisions([row for row in fresh if revisions[roots[row.position]]], roots, revisions, correction)
    settled = [Settled(roots[row.position], V.ACCEPTED, row=row) for row in fresh]
    taken = [row for row in rows if row.key not in new]
    holders = store.held_under([row.key for row in taken])
    for row in taken:
        is_same = holders[row.key][0] == row.content
        verdict = (V.DUPLICATE, "duplicate") if is_same else (V.CONFLICT, "id_conflict")
        settled.append(Settled(roots[row.position], *verdict))
    return settled + left_out(read, roots)


def left_out(read: CarefullyRead, roots: list[bytes]) -> list[Settled]:
    """What can't count: it stays in the backfill, with the reason."""
    found = [Settled(roots[one.event.index], V.QUARANTINED, str(one.reason.value)) for one in read.waiting]
    return found + [Settled(roots[event.index], V.REJECTED, why.code[:40]) for event, why in read.rejected]


def insert_revisions(
    rows: list[Row], roots: list[bytes], revisions: dict[bytes, int], correction: UsageCorrection
) -> None:
    if not rows:
        return
    own = [roots[row.position] for row in rows]
    columns: list[Any] = [
        uuids(own),
        integers([revisions[root] for root in own]),
        uuids([row.key for row in rows]),
        bigints([row.customer_id for row in rows]),
        instants([row.micros for row in rows]),
        texts([row.event_id for row in rows]),
        bigints([row.shape.pk for row in rows]),
    ]
    execute(REVISIONS, [correction.pk, *columns])


def void(replaced: dict[bytes, held.EventPlace], correction: UsageCorrection, *, now: datetime) -> None:
    keys = sorted(replaced)
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        places = [replaced[key] for key in batch]
        columns: list[Any] = [
            bigints([customer for customer, _, _, _ in places]),
            instants([micros_of(at) for _, at, _, _ in places]),
            texts([event_id.encode() for _, _, event_id, _ in places]),
            bigints([shape for _, _, _, shape in places]),
            uuids(batch),
        ]
        execute(VOID, [now, correction.pk, *columns])


def write_verdicts(backfill: UsageBackfill, settled: list[Settled]) -> None:
    for start in range(0, len(settled), BATCH):
        batch = settled[start : start + BATCH]
        rows = [one.row for one in batch]
        columns: list[Any] = [
            uuids([one.root for one in batch]),
            texts([str(one.verdict).encode() for one in batch]),
            texts([one.code.encode() for one in batch]),
            texts([row.key.hex().encode() if row else b"" for row in rows]),
            bigints([row.customer_id if row else 0 for row in rows]),
            bigints([row.shape.pk if row else 0 for row in rows]),
        ]
        execute(VERDICTS, [*columns, backfill.pk])
