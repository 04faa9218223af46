"""The partitions of the events: each holds a month, or a day, of UTC time.

They are made ahead of time, and by whoever writes an event for which one is missing.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from psycopg import sql

from apps.core import clock, lookups
from apps.usage.models.settings import UsageSettings

TABLE = "usage_usageevent"
MONTH = UsageSettings.PartitionSpan.MONTH
# Beside the partition of the present: so many days, or one month.
DAYS_AHEAD = 2
# Another process may drop what this one remembers; it is looked up again after so long.
REMEMBERED_SECONDS = 60


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """Half-open, UTC. Its name is the table's with the first six (a month) or eight digits of its start."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        is_day = self.end - self.start == timedelta(days=1)
        return f"{TABLE}_{self.start:%Y%m%d}" if is_day else f"{TABLE}_{self.start:%Y%m}"


# When they were looked up (monotonic, in seconds), and what was found.
_known: dict[tuple[str, str], tuple[int, list[Partition]]] = {}


def partition_named(name: str) -> Partition:
    digits = name.removeprefix(f"{TABLE}_")
    if len(digits) == len("20260131"):
        return day_of(datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC))
    return month_of(datetime.strptime(digits, "%Y%m").replace(tzinfo=UTC))


def day_of(instant: datetime) -> Partition:
    start = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Partition(start, start + timedelta(days=1))


def month_of(instant: datetime) -> Partition:
    start = day_of(instant).start.replace(day=1)
    return Partition(start, (start + timedelta(days=32)).replace(day=1))


def existing() -> list[Partition]:
    """Those of the entered schema, in the order of time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
            " WHERE inhparent = %s::regclass",
            [TABLE],
        )
        return sorted(partition_named(name) for (name,) in cursor.fetchall())


@dataclass(frozen=True, slots=True)
class PartitionSize:
    """`row_count` is the server's estimate; None when it has not looked yet. `byte_size` counts the index too."""

    partition: Partition
    row_count: int | None
    byte_size: int


def partition_sizes() -> list[PartitionSize]:
    """In the order of time. No event is read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname, child.reltuples::bigint, pg_total_relation_size(child.oid) FROM pg_inherits"
            " JOIN pg_class AS child ON child.oid = inhrelid WHERE inhparent = %s::regclass",
            [TABLE],
        )
        found = [
            PartitionSize(partition_named(name), None if rows < 0 else rows, size)
            for name, rows, size in cursor.fetchall()
        ]
    return sorted(found, key=lambda one: one.partition)


def covers(partitions: list[Partition], instant: datetime) -> bool:
    return any(one.start <= instant < one.end for one in partitions)


def ensure_partitions(instants: Iterable[datetime]) -> list[Partition]:
    """Make what is missing for events at these instants; returns what was made. Cheap when nothing is missing."""
    place = lookups.place()
    second = int(time.monotonic())
    looked_up, known = _known.get(place, (second, []))
    is_fresh = second - looked_up < REMEMBERED_SECONDS
    if all(is_fresh and covers(known, instant) for instant in instants):
        return []
    made = make_missing(instants)

    def remember() -> None:
        _known[place] = second, existing()

    # What a transaction has made that is undone must not be remembered.
    transaction.on_commit(remember)
    return made


@transaction.atomic
def make_missing(instants: Iterable[datetime]) -> list[Partition]:
    """One at a time: attaching locks out other attachers, and neither readers nor writers."""
    found = existing()
    if all(covers(found, instant) for instant in instants):
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' usage partitions', 0))"
        )
    found = existing()
    span = current_span()
    made = []
    for instant in sorted(instants):
        if covers(found, instant):
            continue
        month = month_of(instant)
        is_free = not any(one.start < month.end and month.start < one.end for one in found)
        partition = month if span == MONTH and is_free else day_of(instant)
        make(partition)
        found.append(partition)
        made.append(partition)
    return made


def make(partition: Partition) -> None:
    name, parent = sql.Identifier(partition.name), sql.Identifier(TABLE)
    statements = [
        sql.SQL("CREATE TABLE {} (LIKE {})").format(name, parent),
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            parent, name, sql.Literal(partition.start), sql.Literal(partition.end)
        ),
        # PostgreSQL passes the triggers on rows down, but not those on TRUNCATE.
        sql.SQL(
            "CREATE TRIGGER {} BEFORE TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        ).format(sql.Identifier(f"{partition.name}_is_never_emptied"), name),
    ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


# Ahead of time


def current_span() -> str:
    return UsageSettings.objects.values_list("partition_span", flat=True).first() or MONTH


def wanted_at(instant: datetime, span: str) -> list[Partition]:
    """What should be there at an instant: the partition of the present, and those that come next."""
    if span == MONTH:
        this = month_of(instant)
        return [this, month_of(this.end)]
    today = day_of(instant)
    return [day_of(today.start + timedelta(days=number)) for number in range(DAYS_AHEAD + 1)]


def next_making_at() -> datetime:
    """When the next partition is to be made ahead: once time has come so near to the end of what is there.

    Lies in the past when something is missing already.
    """
    span = current_span()
    wanted = wanted_at(clock.now(), span)
    found = existing()
    until = wanted[0].start
    while (one := next((one for one in found if one.start <= until < one.end), None)) is not None:
        until = one.end
    if span == MONTH:
        return month_of(day_of(until).start.replace(day=1) - timedelta(days=1)).start
    return day_of(until).start - timedelta(days=DAYS_AHEAD)


def make_ahead(now: datetime) -> int:
    """Make what should be there at `now` and is missing. Returns how many.

    After the span was switched, days fill what a month leaves free and a month takes no place where days are.
    """
    instants = [
        day_of(one.start + timedelta(days=number)).start
        for one in wanted_at(now, current_span())
        for number in range((one.end - one.start).days)
    ]
    return len(ensure_partitions(instants))
