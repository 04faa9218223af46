"""Numbers of different values: a row for each value of a bucket, and a total that says how many there are."""

from collections import Counter
from hashlib import sha256

from apps.usage.services.pack import bigints, execute, uuids
from apps.usage.services.rollups.buckets import KEY, KEY_ARRAYS, BucketKey, key_columns, numbers, upserts
from apps.usage.services.rollups.kinds import Texts, texts_by_day

# The total is locked before its values change, so that whoever holds it can count them.
LOCK = upserts({"quantity": "numeric", "event_count": "bigint"}, "quantity = total.quantity")
# A value is new when no events but those of the batch have it.
ADD = f"""
WITH batch AS (
    SELECT * FROM unnest({KEY_ARRAYS}, %s::uuid[], %s::bigint[]) AS batch({KEY}, value_hash, event_count)
), stored AS (
    INSERT INTO usage_unique{{unit}} AS known ({KEY}, value_hash, event_count)
    SELECT {KEY}, value_hash, event_count FROM batch
        ON CONFLICT ({KEY}, value_hash) DO UPDATE SET event_count = known.event_count + excluded.event_count
    RETURNING {KEY}, value_hash, event_count
), fresh AS (
    SELECT {KEY}, count(*) AS quantity FROM stored JOIN batch USING ({KEY}, value_hash, event_count)
     GROUP BY {KEY}
)
UPDATE usage_rollup{{unit}} AS total SET quantity = total.quantity + fresh.quantity FROM fresh
 WHERE (total.customer_id, total.meter_id, total.bucket, total.dimension_set_id)
     = (fresh.customer_id, fresh.meter_id, fresh.bucket, fresh.dimension_set_id)
"""
ADD_DAYS, ADD_HOURS = ADD.format(unit="day"), ADD.format(unit="hour")


def add(hours: Texts) -> None:
    days = texts_by_day(hours)
    execute(LOCK, [*total_columns(hours), *total_columns(days)])
    execute(ADD_DAYS, value_columns(days))
    execute(ADD_HOURS, value_columns(hours))


def total_columns(found: Texts) -> list[object]:
    keys = sorted(found)
    return [
        *key_columns(keys),
        numbers([0] * len(keys)),
        bigints([len(found[key]) for key in keys]),
    ]


def value_columns(found: Texts) -> list[object]:
    counts: Counter[tuple[BucketKey, bytes]] = Counter()
    for key, values in found.items():
        for text, count in Counter(values).items():
            counts[key, value_hash(text)] += count
    rows = sorted(counts)
    return [
        *key_columns([key for key, _ in rows]),
        uuids([digest for _, digest in rows]),
        bigints([counts[row] for row in rows]),
    ]


def value_hash(text: str) -> bytes:
    """As `apps.usage.selectors.VALUE_HASH` has it."""
    return sha256(text.encode()).digest()[:16]
