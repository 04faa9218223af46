"""Archive and drop the partitions of events that nobody needs any more, oldest first, once a day.

A partition goes when it ended longer ago than the tenant keeps events, and before everything that somebody
still needs. Apps that need events say so by a hold. Its file is written and read back first; then partition,
keys and corrections go in one transaction, which also records the file. A kill at any point leaves either the
partition, and the next run writes the file anew, or the record.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from apps.core.locks import session_lock
from apps.core.schema import schema_name
from apps.usage.models import ArchivedPartition, RetentionCheck, UsageSettings
from apps.usage.services import archive, archive_files
from apps.usage.services.archive import Archive
from apps.usage.services.corrections import turn
from apps.usage.services.partitions import Partition, existing, partition_sizes

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
# Whoever waits for the parent table lets all writers wait behind it, so it is not waited for long.
LOCK_TIMEOUT = "2s"
LOCK_ATTEMPTS = 5
PAUSE_SECONDS = 1
# A batch that waits for the partition is waited for in turn: PostgreSQL then ends one of the two.
PASSING = (LockNotAvailable, DeadlockDetected)

# The earliest instant whose events are still needed, or None.
Hold = Callable[[], datetime | None]
_holds: dict[str, Hold] = {}

# An id that was amended or reported anew is known as long as one of its revisions has its event: the first one's key
# says what the client sent, and what is voided stays voided. What was kept so goes with the last of them.
KNOWN = """
lasting AS (
    SELECT root_key FROM usage_eventrevision WHERE "timestamp" >= {end}
     UNION
    SELECT revision.root_key FROM usage_eventrevision AS revision
      JOIN usage_eventkey AS root ON root.key = revision.root_key WHERE root."timestamp" >= {end}
), known AS (
    SELECT root_key AS key FROM lasting
     UNION
    SELECT revision.key FROM usage_eventrevision AS revision JOIN lasting USING (root_key)
)
"""
FORGET_KEYS = f"""
WITH {KNOWN}
DELETE FROM usage_eventkey AS gone
 WHERE "timestamp" < {{end}} AND customer_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM known WHERE known.key = gone.key)
"""
FORGET_CORRECTIONS = f"""
WITH {KNOWN}, voided AS (
    DELETE FROM usage_voidedevent AS gone
     WHERE "timestamp" < {{end}} AND NOT EXISTS (SELECT FROM known WHERE known.key = gone.key)
)
DELETE FROM usage_backfilledreading WHERE "timestamp" >= {{start}} AND "timestamp" < {{end}}
"""


class StillNeeded(Exception):
    """Somebody came to need the partition while its file was written."""


def register_hold(name: str, hold: Hold) -> None:
    """Called from an app's `ready()`. `name` is what staff read: why events are kept."""
    _holds[name] = hold


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Partitions that end at or before `at` may go. `held_by` names the hold that set it, if one did."""

    at: datetime
    held_by: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """`problem` says what stopped the run; the partitions after it are left for the next one."""

    dropped: int
    problem: str = ""


def cutoff_at(now: datetime, *, retention_days: int) -> Cutoff:
    """The earliest of the tenant's limit and all holds."""
    cutoff = Cutoff(now - retention_days * DAY)
    for name, hold in _holds.items():
        needed = hold()
        if needed is not None and needed < cutoff.at:
            cutoff = Cutoff(needed, name)
    return cutoff


def droppable(cutoff: Cutoff) -> list[Partition]:
    return [one for one in existing() if one.end <= cutoff.at]


# The due job


def retention_days() -> int | None:
    return UsageSettings.objects.values_list("retention_days", flat=True).first()


def next_check_at() -> datetime | None:
    """The next midnight (UTC) after the last check at which the oldest partition is old enough."""
    days = retention_days()
    partitions = existing() if days is not None else []
    if days is None or not partitions:
        return None
    old_enough_at = partitions[0].end + days * DAY
    checked_at = RetentionCheck.objects.values_list("checked_at", flat=True).first()
    if checked_at is None:
        return old_enough_at
    return max(old_enough_at, midnight_after(checked_at))


def midnight_after(instant: datetime) -> datetime:
    return instant.replace(hour=0, minute=0, second=0, microsecond=0) + DAY


def check_retention(now: datetime) -> int:
    """Do what is due at `now`. Returns 1 for a check, and 1 for each partition that went.

    A problem is logged and kept for staff; the next check tries again. While another process is at work
    nothing is done.
    """
    due = next_check_at()
    if due is None or due > now:
        return 0
    done = check_now(now)
    return 0 if done is None else 1 + done.dropped


def check_now(now: datetime) -> Done | None:
    """The same whether it is due or not. None when another process is at work, or events are kept for ever."""
    days = retention_days()
    if days is None:
        return None
    with session_lock(f"retention:{schema_name()}") as is_held:
        if not is_held:
            return None
        done = drop_old_partitions(now=now, retention_days=days)
        RetentionCheck.objects.update_or_create(pk=1, defaults={"checked_at": now, "problem": done.problem})
    return done


def drop_old_partitions(*, now: datetime, retention_days: int) -> Done:
    """Archive and drop, one by one, oldest first. The caller holds the lock of the tenant's retention."""
    archive_files.remove_unfinished()
    dropped = 0
    for partition in droppable(cutoff_at(now, retention_days=retention_days)):
        try:
            drop(archive.archive_partition(partition), now=now)
        except StillNeeded:
            return Done(dropped)
        except (archive.ArchiveError, OperationalError, OSError) as error:
            # The newer ones wait: what is kept has to begin at one instant.
            log.exception("partition %s of %s can't be archived", partition.name, schema_name())
            return Done(dropped, f"{partition.name}: {error}")
        dropped += 1
    return Done(dropped)


@transaction.atomic
def drop(made: Archive, *, now: datetime) -> ArchivedPartition:
    """Let a partition go whose file was read back.

    Keys first, which takes longest and is in nobody's way: whoever sends such an event again is refused for
    its age. Then it is retention's turn, as if it were a correction: backfills that were asked for meanwhile are
    seen, and later ones see what is archived. The partition is locked against writers and compared with its file
    a last time. The parent is locked for a moment only. Raises `StillNeeded`, `ArchiveError` when something has
    changed since the file was written, `OperationalError` when a lock can't be had.
    """
    partition = made.partition
    with connection.cursor() as cursor:
        cursor.execute(archive.filled(FORGET_KEYS, partition))
        turn.take_turn()
        refuse_needed(partition, now=now)
        cursor.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier(partition.name)))
        cursor.execute("LOCK TABLE usage_voidedevent, usage_backfilledreading IN SHARE MODE")
        if archive.fingerprint(partition) != made.fingerprint:
            raise archive.ArchiveError(f"{partition.name} has changed since {made.file_name} was written.")
        cursor.execute(archive.filled(FORGET_CORRECTIONS, partition))
    record = ArchivedPartition.objects.create(
        partition=partition.name,
        starts_at=partition.start,
        ends_at=partition.end,
        format=made.format,
        file_name=made.file_name,
        row_count=made.written.content.row_count,
        byte_size=made.written.byte_size,
        sha256=made.written.sha256,
        archived_at=now,
    )
    drop_table(partition)
    return record


def refuse_needed(partition: Partition, *, now: datetime) -> None:
    """By the limit and the holds of this moment. Raises `StillNeeded`."""
    days = retention_days()
    if days is None or partition.end > cutoff_at(now, retention_days=days).at:
        raise StillNeeded


def drop_table(partition: Partition) -> None:
    """Dropping a partition locks its parent alone. While that is waited for all writers wait as well, so it is
    waited for shortly, and a few times.

    Batches that are under way are waited for first, and later ones wait for the commit: each asks, if it has to,
    which events are kept, and what it was told must be true until its end.
    """
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
                turn.take_turn_alone()
                cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(partition.name)))
            return
        except OperationalError as error:
            if attempt == LOCK_ATTEMPTS or not isinstance(error.__cause__, PASSING):
                raise
            time.sleep(PAUSE_SECONDS)


# What a change of the setting would do


@dataclass(frozen=True, slots=True)
class WouldGo:
    """What the next check would archive. `kept_from` is where the events that stay begin."""

    partitions: int
    event_count: int
    kept_from: datetime | None
    cutoff: Cutoff


def would_go(*, now: datetime, retention_days: int) -> WouldGo:
    """Counts are the server's estimates, but for partitions that it has not looked at yet."""
    cutoff = cutoff_at(now, retention_days=retention_days)
    sizes = [one for one in partition_sizes() if one.partition.end <= cutoff.at]
    events = sum(exact_count(one.partition) if one.row_count is None else one.row_count for one in sizes)
    return WouldGo(len(sizes), events, max((one.partition.end for one in sizes), default=None), cutoff)


def exact_count(partition: Partition) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(partition.name)))
        count: int = cursor.fetchone()[0]
        return count
