"""Do a backfill, step by step; whoever is killed in the middle is followed by another who goes on.

First a pause: batches that began before the meter was there, and don't know it, are waited for. All later ones read
it themselves. Then step by step: some thousands of events are fetched and read without any lock, for they never
change; their readings, totals and the new position are one short transaction.
"""

import logging
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Max, Q
from psycopg.errors import DeadlockDetected

from apps.catalog.models import Meter
from apps.core import clock
from apps.usage.models import ArchivedPartition, EventShape, MeterBackfill
from apps.usage.services.corrections import turn
from apps.usage.services.memory import Memory
from apps.usage.services.meter_backfill import readings, scan

log = logging.getLogger(__name__)

Status = MeterBackfill.Status
CHUNK = 5_000
# A job that has not stepped for so long has lost its worker.
STALE = timedelta(minutes=2)
DEADLOCK_RETRIES = 3
ARCHIVED = (
    "Events of its range were archived before it had read them. What it has read counts; the rest is missing."
)
CHANGED = "What the meter measures was changed meanwhile; start another backfill."


def run_backfill(
    *, backfill_id: int, now: datetime, chunk: int = CHUNK, at_most: timedelta | None = None
) -> MeterBackfill:
    """Work until the backfill has ended, or for some time `at_most`. Two workers at once double nothing.

    It is still running when the time was not enough; whoever calls again goes on.
    """
    try:
        begin(backfill_id, now=now)
        backfill = load(backfill_id)
        if backfill.status == Status.RUNNING:
            go_over(backfill, chunk=chunk, until=None if at_most is None else clock.real_now() + at_most)
    except Exception as error:
        MeterBackfill.objects.filter(pk=backfill_id, status=Status.RUNNING).update(error=repr(error)[:2000])
        raise
    return load(backfill_id)


def load(backfill_id: int) -> MeterBackfill:
    return MeterBackfill.objects.select_related("meter").get(pk=backfill_id)


def begin(backfill_id: int, *, now: datetime) -> None:
    """Queued becomes running, once no batch is under way that does not know the meter."""
    with transaction.atomic():
        turn.take_turn_alone()
        newest = EventShape.objects.aggregate(newest=Max("pk"))["newest"] or 0
        MeterBackfill.objects.filter(pk=backfill_id, status=Status.QUEUED).update(
            status=Status.RUNNING, started_at=now, stepped_at=clock.real_now(), last_shape_id=newest
        )


def go_over(backfill: MeterBackfill, *, chunk: int, until: datetime | None) -> None:
    shapes = scan.shapes_of(backfill)
    if not backfill.events_expected:
        backfill.events_expected = scan.count_events(backfill, shapes)
        MeterBackfill.objects.filter(pk=backfill.pk).update(events_expected=backfill.events_expected)
    # Of dimension sets alone.
    memory = Memory(0, {}, timedelta(), days_before=0)
    while backfill.status == Status.RUNNING and (until is None or clock.real_now() < until):
        found = scan.next_chunk(backfill, shapes, size=chunk)
        decided = readings.decide(backfill.meter, found.events)
        backfill = patiently(backfill, found, decided, memory)


def patiently(
    backfill: MeterBackfill, found: scan.Chunk, decided: readings.Decided, memory: Memory
) -> MeterBackfill:
    for _ in range(DEADLOCK_RETRIES):
        try:
            return step(backfill, found, decided, memory)
        except OperationalError as error:
            if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                raise
    return step(backfill, found, decided, memory)


@transaction.atomic
def step(
    backfill: MeterBackfill, found: scan.Chunk, decided: readings.Decided, memory: Memory
) -> MeterBackfill:
    """Store one chunk with the position behind it; nothing, if somebody else has moved it or ended the job."""
    turn.take_turn()
    locked = MeterBackfill.objects.select_for_update().get(pk=backfill.pk)
    locked.meter = Meter.objects.get(pk=backfill.meter_id)
    if locked.status != Status.RUNNING or locked.position != backfill.position:
        return locked
    if locked.meter.definition_version != locked.definition_version:
        end(locked, Status.CANCELLED, error=CHANGED)
        return locked
    if is_archived(locked):
        end(locked, Status.FAILED, error=ARCHIVED)
        return locked
    if found.is_last:
        end(locked, Status.DONE)
        return locked
    locked.readings_added += readings.store(locked.meter, decided, memory)
    locked.events_seen += len(found.events)
    locked.events_skipped += decided.skipped
    locked.skipped_examples = [*locked.skipped_examples, *decided.examples][: readings.EXAMPLES]
    locked.position = found.position
    locked.stepped_at = clock.real_now()
    locked.save()
    return locked


def is_archived(backfill: MeterBackfill) -> bool:
    """Whether events of its range are gone, which retention should have waited for."""
    kept_from = ArchivedPartition.events_kept_from()
    return kept_from is not None and (backfill.starts_at is None or backfill.starts_at < kept_from)


def end(backfill: MeterBackfill, status: str, *, error: str = "") -> None:
    backfill.status = status
    backfill.error = error
    backfill.finished_at = clock.now()
    backfill.save(update_fields=["status", "error", "finished_at"])


def waiting() -> list[int]:
    """Backfills that no worker has: queued ones, and those whose worker was lost."""
    lost = Q(status=Status.RUNNING, stepped_at__lt=clock.real_now() - STALE)
    return list(
        MeterBackfill.objects.filter(lost | Q(status=Status.QUEUED))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
