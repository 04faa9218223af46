"""Totals of many spans at once, put together by anything.

Whole days and hours come from the rollups and the ragged ends from the events, so that the cost depends on the number
of buckets and not on the number of events; the numbers are those of a scan of all events, to the last digit.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from django.db import connection

from apps.catalog.models import Meter
from apps.usage.selectors import totals_sql
from apps.usage.selectors.kept import refuse_archived
from apps.usage.selectors.pieces import pieces_before, pieces_of

Aggregation = Meter.Aggregation

MICROSECONDS_AN_HOUR = Decimal(3_600_000_000)
LAST_DECIMAL = Decimal("1e-18")
HALF_EVEN = Context(prec=100, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Span:
    """Whose usage, from when to when (half-open).

    What is `joined` is put together with it as if one customer had used it: the largest value is the largest of all,
    a user of two is one user. Levels are each customer's own, and their areas are added up.
    """

    customer_id: int
    start: datetime
    end: datetime
    joined: tuple["Span", ...] = ()

    @property
    def all(self) -> tuple["Span", ...]:
        """Those of them that have a length."""
        return tuple(one for one in (self, *self.joined) if one.start < one.end)


@dataclass(frozen=True, slots=True)
class Quantity:
    """The total of one meter. `event_count` says how many events were added up."""

    quantity: Decimal
    event_count: int


ZERO = Quantity(Decimal(0), 0)


@dataclass(frozen=True, slots=True)
class Grouping:
    """What is put together: SQL over label, meter_id and dimension_set_id."""

    group: str = "0"
    join: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


EVERYTHING = Grouping()
BY_SET = Grouping("dimension_set_id")

# Alone, or with their aggregations.
MeterIds = Iterable[int] | Mapping[int, str]
# A meter and one of its dimension sets.
MeterSet = tuple[int, int]


def by_label(groups: Sequence[Mapping[MeterSet, Hashable]]) -> Grouping:
    """By labels of the caller's, for each span; sets without a label are left out. Labels are told by their text."""
    rows = [
        (number, meter_id, set_id, str(label))
        for number, one in enumerate(groups)
        for (meter_id, set_id), label in one.items()
    ]
    columns = list(zip(*rows, strict=True)) or [()] * 4
    names = ("group_spans", "group_meters", "group_sets", "group_labels")
    return Grouping(
        "grouped.label",
        " JOIN unnest(%(group_spans)s::int[], %(group_meters)s::bigint[], %(group_sets)s::bigint[],"
        " %(group_labels)s::text[]) AS grouped(span, meter, set, label) ON grouped.span = part_of.label"
        " AND grouped.meter = meter_id AND grouped.set = dimension_set_id",
        {name: list(column) for name, column in zip(names, columns, strict=True)},
    )


def by_dimensions(names: Sequence[str], filters: Mapping[str, Sequence[str]]) -> Grouping:
    """By the values of these dimensions, in their order, where the filters hold. What a set lacks is the empty text."""
    parameters: dict[str, Any] = {}
    for index, (name, values) in enumerate(filters.items()):
        parameters |= {f"filter_{index}": name, f"filter_values_{index}": list(values)}
    for index, name in enumerate(names):
        parameters[f"name_{index}"] = name
    value = "coalesce(dimensions.\"values\" ->> %({})s, '')"
    holds = "".join(
        f" AND {value.format(f'filter_{index}')} = ANY(%(filter_values_{index})s)"
        for index in range(len(filters))
    )
    groups = ", ".join(value.format(f"name_{index}") for index in range(len(names)))
    return Grouping(
        f"ARRAY[{groups}]::text[]",
        f" JOIN usage_dimensionset AS dimensions ON dimensions.id = dimension_set_id{holds}",
        parameters,
    )


def totals_of(
    spans: Sequence[Span],
    meter_ids: MeterIds,
    *,
    grouping: Grouping = EVERYTHING,
    as_of: datetime | None = None,
    at_most: int | None = None,
) -> list[dict[tuple[int, Any], Quantity]]:
    """By span, in their order, then by meter and group; what nobody used has no entry. Where there are more than
    `at_most` totals only the first spans are answered that have no more together: none, when the first alone has.

    One statement, so all totals are of one snapshot, after one that reads the meters' aggregations; a caller who
    knows them gives them by meter. Where a span begins or ends inside an hour one more asks whether its events
    are still there. A level lasts until `as_of` at the latest: of a span that is not over, what accrued; without
    it, to the span's end.

    Raises `Refused` events_archived.
    """
    found: list[dict[tuple[int, Any], Quantity]] = [{} for _ in spans]
    if not any(span.all for span in spans):
        return found
    aggregations = meter_ids if isinstance(meter_ids, Mapping) else aggregations_of(meter_ids)
    if not aggregations:
        return found
    refuse_archived(
        start for span in spans for one in span.all for start, _ in pieces_of(one.start, one.end).ragged
    )
    statement, parameters = question(spans, aggregations, grouping, as_of)
    bound = "" if at_most is None else f" ORDER BY label LIMIT {at_most + 1}"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT label, meter_id, grp, trim_scale(quantity), event_count::bigint"
            f" FROM ({statement}) AS total{bound}",
            parameters,
        )
        rows = cursor.fetchall()
        if at_most is not None and len(rows) > at_most:
            found = found[: rows[-1][0]]
        for label, meter_id, group, quantity, event_count in rows:
            if label >= len(found):
                break
            is_area = aggregations[meter_id] == Aggregation.TIME_WEIGHTED_SUM
            key = meter_id, tuple(group) if isinstance(group, list) else group
            one = Quantity(unit_hours(quantity) if is_area else quantity, event_count)
            # A level of zero was stored once, and used no time.
            if one != ZERO:
                found[label][key] = one
    return found


def aggregations_of(meter_ids: Iterable[int]) -> dict[int, str]:
    wanted = set(meter_ids)
    return dict(Meter.objects.filter(pk__in=wanted).values_list("pk", "aggregation")) if wanted else {}


def unit_hours(area: Decimal) -> Decimal:
    """From units times microseconds. The one division there is: rounded here, once, half-even at 18 decimals."""
    quotient = HALF_EVEN.divide(area, MICROSECONDS_AN_HOUR).quantize(LAST_DECIMAL, context=HALF_EVEN)
    return Decimal(format(quotient.normalize(HALF_EVEN), "f"))


def question(
    spans: Sequence[Span], aggregations: Mapping[int, str], grouping: Grouping, as_of: datetime | None
) -> tuple[str, dict[str, Any]]:
    """The statement and its parameters."""
    kinds_of = set(aggregations.values())
    has_plain = kinds_of != {Aggregation.TIME_WEIGHTED_SUM}
    has_levels = Aggregation.TIME_WEIGHTED_SUM in kinds_of
    every = [(label, one) for label, span in enumerate(spans) for one in span.all]
    # A level lasts until the next event of its own customer, so each of the joined is weighed by itself.
    leveled = [
        (number, label, one.customer_id, one.start, one.end if as_of is None else min(one.end, as_of))
        for number, (label, one) in enumerate(every)
        if has_levels and (as_of is None or one.start < as_of)
    ]
    rows = [
        (kind, "plain", label, one.customer_id, *interval)
        for label, one in every
        if has_plain
        for kind, interval in pieces_of(one.start, one.end).by_kind()
    ]
    level_rows = [
        (kind, use, number, customer_id, *interval)
        for number, _, customer_id, start, end in leveled
        for use, pieces in (("level", pieces_of(start, end)), ("before", pieces_before(start)))
        for kind, interval in pieces.by_kind()
    ]
    statement = totals_sql.statement(
        aggregations=kinds_of,
        kinds={row[0] for row in rows},
        level_kinds={row[0] for row in level_rows},
        group=grouping.group,
        join=grouping.join,
    )
    parameters = {
        **grouping.parameters,
        **columns(("kinds", "uses", "labels", "customers", "starts", "ends"), rows + level_rows),
        **columns(
            ("level_numbers", "level_labels", "level_customers", "level_starts", "level_ends"), leveled
        ),
        **meters_by_use(aggregations),
    }
    return statement, parameters


def columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    found = zip(*rows, strict=True) if rows else [()] * len(names)
    return {name: list(column) for name, column in zip(names, found, strict=True)}


def meters_by_use(aggregations: Mapping[int, str]) -> dict[str, list[int]]:
    def among(wanted: Collection[str]) -> list[int]:
        return [pk for pk, aggregation in aggregations.items() if aggregation in wanted]

    return {
        "meters": list(aggregations),
        "plain": among(totals_sql.PLAIN),
        "unique": among([Aggregation.UNIQUE_COUNT]),
        "levels": among([Aggregation.TIME_WEIGHTED_SUM]),
        **{
            f"plain_{index}": among([one for one, sql in totals_sql.PLAIN.items() if sql == quantity])
            for index, quantity in enumerate(totals_sql.quantities_of(set(aggregations.values())))
        },
    }
