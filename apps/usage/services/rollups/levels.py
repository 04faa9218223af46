"""Time-weighted sums: the area under the level between a bucket's first event and its last.

The area is kept in units times microseconds, which is a product without remainder. What lies between two buckets, and
before the first and after the last event of a period, is added by those who ask.
"""

from itertools import pairwise

from apps.usage.services.pack import bigints, execute, instants
from apps.usage.services.rollups.buckets import KEY, BucketKey, Number, key_columns, numbers, upsert
from apps.usage.services.rollups.kinds import Numbers, numbers_by_day
from apps.usage.services.rollups.rebuild import rebuild_days, rebuild_hours
from apps.usage.services.validate import micros_of

COLUMNS = {
    "quantity": "numeric",
    "event_count": "bigint",
    "first_at": "timestamptz",
    "last_at": "timestamptz",
    "last_value": "numeric",
}
IS_AFTER = "total.last_at < excluded.first_at"
IS_BEFORE = "excluded.last_at < total.first_at"
# What lies wholly after or before what is known is joined to it. A bucket whose events and the batch's interleave
# is marked by an empty `last_at`, and read anew.
JOIN = f"""
quantity = CASE
    WHEN {IS_AFTER} THEN total.quantity + excluded.quantity
         + total.last_value * extract(epoch FROM excluded.first_at - total.last_at) * 1000000
    WHEN {IS_BEFORE} THEN total.quantity + excluded.quantity
         + excluded.last_value * extract(epoch FROM total.first_at - excluded.last_at) * 1000000
    ELSE total.quantity END,
first_at = least(total.first_at, excluded.first_at),
last_value = CASE WHEN {IS_AFTER} THEN excluded.last_value ELSE total.last_value END,
last_at = CASE WHEN {IS_AFTER} THEN excluded.last_at WHEN {IS_BEFORE} THEN total.last_at END"""

DAYS, HOURS = (upsert(table, COLUMNS, JOIN) for table in ("usage_rollupday", "usage_rolluphour"))
ADD = f"""
WITH days AS ({DAYS} RETURNING {KEY}, last_at), hours AS ({HOURS} RETURNING {KEY}, last_at)
SELECT true AS is_day, {KEY} FROM days WHERE last_at IS NULL
UNION ALL
SELECT false AS is_day, {KEY} FROM hours WHERE last_at IS NULL
"""


def add(hours: Numbers) -> None:
    """One statement; up to four more when events came in another order than that of time."""
    rows = execute(ADD, [*columns(numbers_by_day(hours)), *columns(hours)])
    interleaved: dict[bool, list[BucketKey]] = {False: [], True: []}
    for is_day, customer_id, meter_id, bucket, set_id in rows:
        interleaved[is_day].append((customer_id, meter_id, micros_of(bucket), set_id))
    if interleaved[False]:
        rebuild_hours(interleaved[False])
    if interleaved[True]:
        rebuild_days(interleaved[True])


def columns(found: Numbers) -> list[object]:
    keys = sorted(found)
    # Of several levels at one instant the largest stays, as it is the latest value.
    levels = [sorted(found[key]) for key in keys]
    return [
        *key_columns(keys),
        numbers([area_of(one) for one in levels]),
        bigints([len(one) for one in levels]),
        instants([one[0][0] for one in levels]),
        instants([one[-1][0] for one in levels]),
        numbers([one[-1][1] for one in levels]),
    ]


def area_of(levels: list[tuple[int, Number]]) -> Number:
    """Units times microseconds from the first to the last."""
    area: Number = 0
    for (start, level), (end, _) in pairwise(levels):
        area += level * (end - start)
    return area
