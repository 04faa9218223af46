"""One statement for the totals of many customers, periods and meters, whatever their aggregations.

It is put together from what is asked: a question about sums says nothing of levels. Rows are (label of the span, meter,
group, quantity, number of events); the quantity of a time-weighted sum is in units times microseconds.
"""

from collections.abc import Collection

from apps.catalog.models import Meter
from apps.usage.selectors.sql import HOUR_OF, READINGS_OF_HOUR, VALUE_HASH

Aggregation = Meter.Aggregation

PLAIN = {
    Aggregation.SUM: "sum(quantity)",
    Aggregation.COUNT: "sum(quantity)",
    Aggregation.MAX: "max(quantity)",
    Aggregation.MIN: "min(quantity)",
    # Of several values at one instant the largest is the latest.
    Aggregation.LATEST: "(array_agg(quantity ORDER BY last_at DESC, quantity DESC))[1]",
}

# Pieces for one use: `plain` for all but levels, `level` and `before` for these.
ASKED = """
{name} AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(uses)s::text[], %(labels)s::int[], %(customers)s::bigint[],
                         %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS asked(kind, use, label, customer_id, starts_at, ends_at)
)"""
PART = ASKED.format(name="part")
# Days from the mark on have no sums and counts yet: of these the hours are read. Hours stay for ever, so it does not
# matter how old the mark is that the statement sees.
MARK = "(SELECT complete_before FROM usage_daymark)"
PART_WITH_DAYS = f"""{ASKED.format(name="asked")}, part AS (
    SELECT kind, use, label, customer_id, starts_at,
           CASE kind WHEN 'day' THEN least(ends_at, {MARK}) ELSE ends_at END AS ends_at
      FROM asked
    UNION ALL
    SELECT 'hour' AS kind, use, label, customer_id, greatest(starts_at, {MARK}) AS starts_at, ends_at
      FROM asked WHERE kind = 'day' AND ends_at > {MARK}
)"""
# Every hour is read once, however many pieces it is in, and each reading is held against the pieces of its hour alone.
READ = f"""
asked_hour AS (
    SELECT customer_id, {HOUR_OF.format("starts_at")} AS bucket, min(starts_at) AS starts_at, max(ends_at) AS ends_at,
           array_agg(use) AS uses, array_agg(label) AS labels, array_agg(starts_at) AS starts,
           array_agg(ends_at) AS ends
      FROM part WHERE kind = 'event' GROUP BY 1, 2
), read AS MATERIALIZED (
    SELECT part.label, part.use, reading."timestamp", reading.meter_id, reading.dimension_set_id, reading.value
      FROM asked_hour
      {READINGS_OF_HOUR.format("asked_hour", "asked_hour.starts_at", "asked_hour.ends_at")}
     CROSS JOIN LATERAL unnest(asked_hour.uses, asked_hour.labels, asked_hour.starts, asked_hour.ends)
           AS part(use, label, starts_at, ends_at)
     WHERE reading.meter_id = ANY(%(meters)s)
       AND reading."timestamp" >= part.starts_at AND reading."timestamp" < part.ends_at
)"""
TOTALS_OF_PART = (
    "part JOIN {table} AS total ON total.customer_id = part.customer_id AND total.meter_id = ANY({meters})"
    " AND total.bucket >= part.starts_at AND total.bucket < part.ends_at"
    " WHERE part.kind = '{kind}' AND part.use IN ({uses})"
)
READINGS_OF_PART = "read AS reading WHERE reading.meter_id = ANY({meters}) AND reading.use IN ({uses})"
KEY = "{0}.label, {1}.meter_id, {1}.dimension_set_id"


def sources(
    kinds: Collection[str], meters: str, uses: str, *, total: str, reading: str, tables: str = "usage_rollup"
) -> str:
    """The rows of a use from totals and readings: the columns that are wanted of either."""
    parts = [
        f"SELECT {KEY.format('part', 'total')}, {total} FROM "
        + TOTALS_OF_PART.format(table=f"{tables}{kind}", meters=meters, kind=kind, uses=uses)
        for kind in ("day", "hour")
        if kind in kinds
    ]
    if "event" in kinds:
        parts.append(
            f"SELECT {KEY.format('reading', 'reading')}, {reading} FROM "
            + READINGS_OF_PART.format(meters=meters, uses=uses)
        )
    return "\n    UNION ALL\n    ".join(parts)


def plain_sources(kinds: Collection[str]) -> str:
    return sources(
        kinds,
        "%(plain)s",
        "'plain'",
        total="total.quantity, total.event_count, total.last_at",
        reading='reading.value::numeric AS quantity, 1 AS event_count, reading."timestamp" AS last_at',
    )


def value_sources(kinds: Collection[str]) -> str:
    return sources(
        kinds,
        "%(unique)s",
        "'plain'",
        total="total.value_hash, total.event_count",
        reading=f"{VALUE_HASH} AS value_hash, 1 AS event_count",
        tables="usage_unique",
    )


def level_sources(kinds: Collection[str]) -> str:
    return sources(
        kinds,
        "%(levels)s",
        "'level', 'before'",
        total=(
            "total.quantity AS area, total.event_count, total.first_at, total.last_at, total.last_value, part.use"
        ),
        reading=(
            '0::numeric AS area, 1 AS event_count, reading."timestamp" AS first_at,'
            ' reading."timestamp" AS last_at, reading.value::numeric AS last_value, reading.use'
        ),
    )


# Each customer and dimension set has a level of its own, which lasts until its next event, be it in another year. The
# sets are found by leaps through the index, the last day of each by one look-up.
LEVEL_SETS = """
level_span AS (
    SELECT * FROM unnest(%(level_numbers)s::int[], %(level_labels)s::int[], %(level_customers)s::bigint[],
                         %(level_starts)s::timestamptz[], %(level_ends)s::timestamptz[])
        AS span(number, label, customer_id, starts_at, ends_at)
), level_set AS (
    SELECT asked.customer_id, asked.meter_id, found.dimension_set_id
      FROM (SELECT DISTINCT customer_id, unnest(%(levels)s::bigint[]) AS meter_id FROM level_span) AS asked
     CROSS JOIN LATERAL (
        SELECT total.dimension_set_id FROM usage_rollupday AS total
         WHERE total.customer_id = asked.customer_id AND total.meter_id = asked.meter_id
           AND total.first_at IS NOT NULL ORDER BY total.dimension_set_id LIMIT 1) AS found
    UNION ALL
    SELECT known.customer_id, known.meter_id, found.dimension_set_id
      FROM level_set AS known
     CROSS JOIN LATERAL (
        SELECT total.dimension_set_id FROM usage_rollupday AS total
         WHERE total.customer_id = known.customer_id AND total.meter_id = known.meter_id
           AND total.first_at IS NOT NULL AND total.dimension_set_id > known.dimension_set_id
         ORDER BY total.dimension_set_id LIMIT 1) AS found
)"""
FORMER_LEVELS = """
    SELECT span.number AS label, known.meter_id, known.dimension_set_id, 0::numeric AS area, 0 AS event_count,
           former.first_at,
           former.last_at, former.last_value, 'before' AS use
      FROM level_span AS span JOIN level_set AS known ON known.customer_id = span.customer_id
     CROSS JOIN LATERAL (
        SELECT total.first_at, total.last_at, total.last_value FROM usage_rollupday AS total
         WHERE total.customer_id = known.customer_id AND total.meter_id = known.meter_id
           AND total.dimension_set_id = known.dimension_set_id AND total.first_at IS NOT NULL
           AND total.bucket < date_bin('1 day', span.starts_at, '2000-01-01 00:00:00+00'::timestamptz)
         ORDER BY total.bucket DESC LIMIT 1) AS former"""
# A row counts until the next one begins, the last one until the end; of the rows before the start only the last has
# any time left within the span. Until here rows are labelled with the number of their span, which is one customer's.
WEIGHED = """
weighed AS (
    SELECT span.label, piece.meter_id, piece.dimension_set_id,
           CASE piece.use WHEN 'level' THEN piece.event_count ELSE 0 END AS event_count,
           CASE piece.use WHEN 'level' THEN piece.area ELSE 0 END + piece.last_value * 1000000 * extract(epoch FROM
               greatest(coalesce(lead(piece.first_at) OVER following, span.ends_at), span.starts_at)
               - greatest(piece.last_at, span.starts_at)) AS area
      FROM leveled AS piece JOIN level_span AS span ON span.number = piece.label
    WINDOW following AS (PARTITION BY piece.label, piece.meter_id, piece.dimension_set_id
                         ORDER BY piece.first_at, piece.last_value)
)"""
TOTAL = (
    "SELECT part_of.label, meter_id, {group} AS grp, {quantity} AS quantity, sum(event_count) AS event_count"
    " FROM {source} AS part_of{join} WHERE {where} GROUP BY 1, 2, 3"
)


def quantities_of(aggregations: Collection[str]) -> list[str]:
    """The different expressions, in a fixed order."""
    return sorted({PLAIN[one] for one in PLAIN if one in aggregations})


def with_hours(kinds: Collection[str]) -> set[str]:
    """Of days from the mark on the hours are read."""
    return {*kinds, "hour"} if "day" in kinds else set(kinds)


def statement(
    *,
    aggregations: Collection[str],
    kinds: Collection[str],
    level_kinds: Collection[str],
    group: str,
    join: str,
) -> str:
    """`kinds` of pieces (day, hour, event) there are; `level_kinds` those for levels. `join` and `group` say what
    is put together, of the rows named part_of."""
    kinds, level_kinds = with_hours(kinds), with_hours(level_kinds)
    tables, totals = [PART_WITH_DAYS if "day" in {*kinds, *level_kinds} else PART], []

    def total(source: str, quantity: str, where: str) -> None:
        totals.append(TOTAL.format(group=group, join=join, source=source, quantity=quantity, where=where))

    if "event" in kinds or "event" in level_kinds:
        tables.append(READ)
    plain = quantities_of(aggregations)
    if plain and kinds:
        tables.append(f"\nused AS (\n    {plain_sources(kinds)}\n)")
        for index, quantity in enumerate(plain):
            total("used", quantity, f"meter_id = ANY(%(plain_{index})s)")
    if Aggregation.UNIQUE_COUNT in aggregations and kinds:
        tables.append(f"\nseen AS (\n    {value_sources(kinds)}\n)")
        total("seen", "count(DISTINCT value_hash)::numeric", "true")
    if Aggregation.TIME_WEIGHTED_SUM in aggregations:
        known = level_sources(level_kinds)
        leveled = f"{known}\n    UNION ALL{FORMER_LEVELS}" if known else FORMER_LEVELS
        tables += [LEVEL_SETS, f"\nleveled AS (\n    {leveled}\n)", WEIGHED]
        total("weighed", "sum(area)", "true")
    return f"WITH RECURSIVE {','.join(tables)}\n" + "\nUNION ALL\n".join(totals)
