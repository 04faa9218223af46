"""Give days that are over the sums and counts of their hours, so that no batch has to.

First the mark of what is written: batches that still leave days alone are waited for, and all later ones write the
days of late events themselves. Then a day's hours are added up, some hundreds of customers at a time: the rows are
locked, and then set by another statement. A batch holds its day's row from its upsert until its commit, so whatever
has counted is seen, and whatever is not seen counts itself when the row is free again. At last the day is complete,
and read. Whoever is killed on the way is followed by another who begins with the first day that is not complete.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected

from apps.catalog.models import Meter
from apps.usage.models import DayMark
from apps.usage.selectors.pieces import DAY, floor
from apps.usage.services.corrections import turn
from apps.usage.services.memory import ADDITIVE
from apps.usage.services.pack import bigints, execute
from apps.usage.services.rollups.buckets import KEY

# Most events of a day are there by then, and find their totals of hours; later ones write both.
GRACE = timedelta(hours=3)
CHUNK = 300
DEADLOCK_RETRIES = 3

OF_DAY = "meter_id = ANY(%(meters)s) AND bucket >= %(day)s AND bucket < %(day)s + interval '24 hours'"
OF_CUSTOMERS = f"customer_id = ANY(%(customers)s) AND {OF_DAY}"
# Besides hours a day may have a total already, of late events and of corrections.
CUSTOMERS = f"""
SELECT customer_id FROM usage_rolluphour WHERE {OF_DAY}
 UNION SELECT customer_id FROM usage_rollupday WHERE {OF_DAY} ORDER BY customer_id
"""
# An update that changes nothing locks a row, or makes one: in the order of keys, as a batch does.
LOCK = f"""
INSERT INTO usage_rollupday AS total ({KEY}, quantity, event_count)
SELECT customer_id, meter_id, %(day)s, dimension_set_id, 0, 0
  FROM (SELECT customer_id, meter_id, dimension_set_id FROM usage_rolluphour WHERE {OF_CUSTOMERS}
         UNION SELECT customer_id, meter_id, dimension_set_id FROM usage_rollupday WHERE {OF_CUSTOMERS}) AS known
 ORDER BY customer_id, meter_id, dimension_set_id
    ON CONFLICT ({KEY}) DO UPDATE SET event_count = total.event_count
RETURNING customer_id, meter_id, dimension_set_id
"""
LOCKED = "unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS locked(customer_id, meter_id, dimension_set_id)"
SET = f"""
UPDATE usage_rollupday AS total SET quantity = coalesce(known.quantity, 0), event_count = coalesce(known.event_count, 0)
  FROM {LOCKED} LEFT JOIN (
       SELECT customer_id, meter_id, dimension_set_id, sum(quantity) AS quantity, sum(event_count) AS event_count
         FROM usage_rolluphour
        WHERE customer_id = ANY(%s) AND meter_id = ANY(%s) AND bucket >= %s AND bucket < %s + interval '24 hours'
        GROUP BY 1, 2, 3) AS known USING (customer_id, meter_id, dimension_set_id)
 WHERE total.customer_id = locked.customer_id AND total.meter_id = locked.meter_id AND total.bucket = %s
   AND total.dimension_set_id = locked.dimension_set_id
"""
DELETE_EMPTY = f"DELETE FROM usage_rollupday WHERE {OF_CUSTOMERS} AND event_count = 0"
NEXT_DAY = """
SELECT least((SELECT min(bucket) FROM usage_rolluphour WHERE bucket >= %(start)s AND bucket < %(end)s),
             (SELECT min(bucket) FROM usage_rollupday WHERE bucket >= %(start)s AND bucket < %(end)s))
"""


def roll_when_due(now: datetime) -> int:
    """Some hours after midnight. A sandbox that moves a year need not stop for each: returns 0, for it is no step
    of the tenant's own time.
    """
    until = floor(now - GRACE, DAY)
    if DayMark.objects.filter(complete_before__lt=until).exists():
        roll_days(until=until)
    return 0


def roll_days(*, until: datetime) -> None:
    """Complete all days before `until`, a midnight of UTC that lies in the past. Days that were complete stay as they
    are, so that a second run does nothing; two at once double nothing.
    """
    move_written(until)
    while (day := next_day(until)) is not None:
        roll_day(day)
        move_complete(day + DAY)
    move_complete(until)


@transaction.atomic
def move_written(until: datetime) -> None:
    """After the commit every batch has read the new mark, and so has every correction."""
    turn.take_turn_alone()
    DayMark.objects.filter(written_before__lt=until).update(written_before=until)


def move_complete(until: datetime) -> None:
    DayMark.objects.filter(complete_before__lt=until).update(complete_before=until)


def next_day(until: datetime) -> datetime | None:
    """The first day with totals of those that are not complete."""
    start = DayMark.objects.values_list("complete_before", flat=True).get()
    with connection.cursor() as cursor:
        cursor.execute(NEXT_DAY, {"start": start, "end": until})
        (bucket,) = cursor.fetchone()
    return None if bucket is None else floor(bucket, DAY)


def roll_day(day: datetime) -> None:
    """Meters and customers that are not seen here came later than the mark: their totals of the day are written."""
    meters = list(Meter.objects.filter(aggregation__in=ADDITIVE).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(CUSTOMERS, {"meters": meters, "day": day})
        customers = [customer_id for (customer_id,) in cursor.fetchall()]
    for start in range(0, len(customers), CHUNK):
        patiently(roll_customers, customers[start : start + CHUNK], meters, day)


def patiently(call: Callable[..., None], *given: Any) -> None:
    """A transaction that locks totals twice may meet this one in a circle; PostgreSQL then ends one of them."""
    for _ in range(DEADLOCK_RETRIES):
        try:
            return call(*given)
        except OperationalError as error:
            if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                raise
    return call(*given)


@transaction.atomic
def roll_customers(customers: list[int], meters: list[int], day: datetime) -> None:
    """In turn with corrections, for these take hours away again; batches go on."""
    turn.take_turn()
    given: dict[str, Any] = {"customers": customers, "meters": meters, "day": day}
    with connection.cursor() as cursor:
        cursor.execute(LOCK, given)
        locked = cursor.fetchall()
    if not locked:
        return
    columns = [bigints(column) for column in zip(*locked, strict=True)]
    execute(SET, [*columns, bigints(customers), bigints(meters), day, day, day])
    with connection.cursor() as cursor:
        cursor.execute(DELETE_EMPTY, given)
