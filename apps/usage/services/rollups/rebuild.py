"""Bring totals to what the readings say: for events that no longer count, or that a younger meter has read.

The rows are locked, and then read anew by another statement. A batch holds a bucket's row from its upsert until its
commit: so whatever has counted is seen, and whatever is not seen counts itself when the row is free again. Sums and
counts of days from the mark on are left to those who add them up when the day is over (`roll`).
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from apps.catalog.models import Meter
from apps.usage.selectors.kept import require_events
from apps.usage.services.memory import ADDITIVE
from apps.usage.services.pack import bigints, execute, instants
from apps.usage.services.rollups import mark
from apps.usage.services.rollups import rebuild_sql as sql
from apps.usage.services.rollups.buckets import BucketKey, key_columns
from apps.usage.services.rollups.kinds import ORDER
from apps.usage.services.validate import instant_of, micros_of

# Customer, meter, start of the hour.
Bucket = tuple[int, int, datetime]


def recompute(*, customer_id: int, meter_ids: Iterable[int], hours: Iterable[datetime]) -> None:
    """Make a customer's hours (their starts, UTC) and the days around them equal the readings, for these meters.

    To be called in the transaction that changed which readings count, after the change. Ingestion goes on: a batch
    for the same totals waits for the commit. Events that retention has dropped can't be read anew.
    """
    starts = set(hours)
    rebuild_buckets((customer_id, meter_id, hour) for meter_id in set(meter_ids) for hour in starts)


@transaction.atomic
def rebuild_buckets(buckets: Iterable[Bucket]) -> None:
    """The same for several customers: in one call, so that all rows are locked in one order. A transaction that
    calls it twice may deadlock with a batch; PostgreSQL then ends one of them.

    Takes the turn of corrections, if the caller has not: the day mark must not move before the commit.
    """
    asked = set(buckets)
    aggregations = dict(
        Meter.objects.filter(pk__in={meter_id for _, meter_id, _ in asked}).values_list("pk", "aggregation")
    )
    days: list[BucketKey] = []
    hours: list[BucketKey] = []
    for kinds in ORDER:
        mine = sorted(one for one in asked if aggregations.get(one[1]) in kinds)
        if mine:
            days += locked(sql.LOCK_DAYS, with_days(mine) if kinds == ADDITIVE else mine)
            hours += locked(sql.LOCK_HOURS, mine)
    has_values = Meter.Aggregation.UNIQUE_COUNT in aggregations.values()
    rebuild_hours(hours, has_values=has_values)
    rebuild_days(days, has_values=has_values)


def with_days(asked: list[Bucket]) -> list[Bucket]:
    days_before = mark.days_before()
    return [one for one in asked if micros_of(one[2]) < days_before]


def locked(statement: str, asked: list[Bucket]) -> list[BucketKey]:
    """The totals of these hours, those that readings will have included."""
    if not asked:
        return []
    customers, meters, hours = zip(*asked, strict=True)
    rows = execute(
        statement, [bigints(customers), bigints(meters), instants([micros_of(hour) for hour in hours])]
    )
    return [(customer, meter, micros_of(bucket), set_id) for customer, meter, bucket, set_id in rows]


def rebuild_hours(keys: Iterable[BucketKey], *, has_values: bool = False) -> None:
    """From the readings. The rows are locked by the caller; those without readings are deleted.

    Raises `EventsArchived` where not all of the readings are left.
    """
    keys = list(keys)
    if keys:
        require_events(instant_of(min(bucket for _, _, bucket, _ in keys)))
    run(sql.HOURS, keys, sql.HOUR_VALUES if has_values else ())


def rebuild_days(keys: Iterable[BucketKey], *, has_values: bool = False) -> None:
    """From the hours."""
    run(sql.DAYS, keys, sql.DAY_VALUES if has_values else ())


def run(statements: Iterable[str], keys: Iterable[BucketKey], before: Iterable[str]) -> None:
    columns = key_columns(sorted(keys))
    for statement in (*before, *statements):
        execute(statement, columns)
