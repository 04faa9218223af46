"""Totals by bucket in Python, and the statements that bring them into the tables."""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, Inexact

from apps.usage.services.pack import Packed, bigints, instants, texts

# Sums of values below 10^19 with 18 decimals, times microseconds of a day: exact, or an error, never rounded.
EXACT = Context(prec=100, traps=[Inexact])

HOUR = 3_600_000_000
DAY = 24 * HOUR

Number = int | Decimal
# Customer, meter, bucket in microseconds since 1970, dimension set.
BucketKey = tuple[int, int, int, int]

KEY = "customer_id, meter_id, bucket, dimension_set_id"
KEY_TYPES = {
    "customer_id": "bigint",
    "meter_id": "bigint",
    "bucket": "timestamptz",
    "dimension_set_id": "bigint",
}
KEY_ARRAYS = "%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[]"


def upsert(table: str, columns: dict[str, str], changes: str) -> str:
    """A statement that adds to totals: the columns with their types, and what becomes of a total that is there.

    The rows come in the order of their keys.
    """
    names = ", ".join(columns)
    types = KEY_TYPES | {name: "text" if kind == "numeric" else kind for name, kind in columns.items()}
    # Arrays of one length, unnested side by side: in a FROM clause each of them would be written down first.
    arrays = ", ".join(f"unnest(%s::{kind}[]) AS {name}" for name, kind in types.items())
    values = ", ".join(f"{name}::numeric" if kind == "numeric" else name for name, kind in columns.items())
    return f"""
INSERT INTO {table} AS total ({KEY}, {names})
SELECT {KEY}, {values}
  FROM (SELECT {arrays}) AS batch
    ON CONFLICT ({KEY})
    DO UPDATE SET {changes}, event_count = total.event_count + excluded.event_count
"""


def upserts(columns: dict[str, str], changes: str) -> str:
    """One statement for hours and days, with the parameters of the hours first.

    PostgreSQL runs a statement before the ones that are attached to it, so the days are changed first.
    """
    hours, days = (upsert(table, columns, changes) for table in ("usage_rolluphour", "usage_rollupday"))
    return f"WITH hours AS ({hours}) {days}"


def day_key(key: BucketKey) -> BucketKey:
    customer_id, meter_id, hour, set_id = key
    return customer_id, meter_id, hour - hour % DAY, set_id


def key_columns(keys: Sequence[BucketKey]) -> list[Packed]:
    """The keys must be sorted."""
    customers, meters, buckets, sets = zip(*keys, strict=True) if keys else ((), (), (), ())
    return [bigints(customers), bigints(meters), instants(buckets), bigints(sets)]


def numbers(values: Iterable[Number]) -> Packed:
    return texts([format(value, "f" if type(value) is Decimal else "d").encode() for value in values])
