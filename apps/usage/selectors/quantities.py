"""Quantities of one customer over any period."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from apps.usage.selectors.pieces import Interval
from apps.usage.selectors.totals import BY_SET, ZERO, MeterIds, MeterSet, Quantity, Span, by_label, totals_of


def quantities_over(
    *, customer_id: int, meter_ids: MeterIds, periods: list[Interval], as_of: datetime | None = None
) -> list[dict[int, Quantity]]:
    """The totals of a customer's meters, by meter, for each of `periods` (half-open, in their order).

    One snapshot. Every meter asked for has an entry, be it zero. A level lasts until `as_of` at the latest.
    """
    wanted = meter_ids if isinstance(meter_ids, Mapping) else sorted(set(meter_ids))
    found = [dict.fromkeys(wanted, ZERO) for _ in periods]
    totals = totals_of([Span(customer_id, *period) for period in periods], wanted, as_of=as_of)
    for one, total in zip(found, totals, strict=True):
        one.update({meter_id: quantity for (meter_id, _), quantity in total.items()})
    return found


def quantities(
    *,
    customer_id: int,
    meter_ids: MeterIds,
    start: datetime,
    end: datetime,
    as_of: datetime | None = None,
) -> dict[int, Quantity]:
    """The totals of a customer's meters over `[start, end)`, by meter."""
    return quantities_over(customer_id=customer_id, meter_ids=meter_ids, periods=[(start, end)], as_of=as_of)[
        0
    ]


@dataclass(frozen=True, slots=True)
class DimensionQuantity:
    """The part of a meter's total that has these dimension values."""

    dimension_set_id: int
    dimensions: dict[str, str]
    quantity: Quantity


def quantities_by_dimension_over(
    *, customer_id: int, meter_ids: MeterIds, periods: list[Interval], as_of: datetime | None = None
) -> list[dict[int, list[DimensionQuantity]]]:
    """As `quantities_over`, by dimension values, the largest first. Every meter has a list, be it empty.

    Parts add up to the whole for sums and counts alone: `quantities_by_group_over` puts the others together.
    """
    return quantities_by_dimension_of(
        [Span(customer_id, *period) for period in periods], meter_ids, as_of=as_of
    )


def quantities_by_dimension_of(
    spans: Sequence[Span], meter_ids: MeterIds, *, as_of: datetime | None = None
) -> list[dict[int, list[DimensionQuantity]]]:
    """The same for spans of any customers, in their order."""
    wanted = meter_ids if isinstance(meter_ids, Mapping) else sorted(set(meter_ids))
    totals = totals_of(spans, wanted, grouping=BY_SET, as_of=as_of)
    values = dimension_values(set_id for total in totals for _, set_id in total)
    found: list[dict[int, list[DimensionQuantity]]] = [{meter_id: [] for meter_id in wanted} for _ in spans]
    for one, total in zip(found, totals, strict=True):
        ordered = sorted(total.items(), key=lambda item: (-item[1].quantity, item[0][1]))
        for (meter_id, set_id), quantity in ordered:
            one[meter_id].append(DimensionQuantity(set_id, values[set_id], quantity))
    return found


def dimension_values(set_ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """The values of dimension sets, by their numbers, each with its names in the order of the alphabet."""
    wanted = sorted(set(set_ids))
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute('SELECT id, "values"::text FROM usage_dimensionset WHERE id = ANY(%s)', [wanted])
        return {set_id: json.loads(values) for set_id, values in cursor.fetchall()}


def quantities_by_dimension(
    *, customer_id: int, meter_id: int, start: datetime, end: datetime, as_of: datetime | None = None
) -> list[tuple[dict[str, str], Quantity]]:
    """The same for one meter and one period."""
    found = quantities_by_dimension_over(
        customer_id=customer_id, meter_ids=[meter_id], periods=[(start, end)], as_of=as_of
    )[0]
    return [(one.dimensions, one.quantity) for one in found[meter_id]]


def quantities_by_group_over(
    *,
    customer_id: int,
    periods: list[Interval],
    groups: Sequence[Mapping[MeterSet, Any]],
    as_of: datetime | None = None,
) -> list[dict[tuple[int, str], Quantity]]:
    """Totals of dimension sets that belong together: by meter and the text of their label, for each period.

    `groups` has for each period the label of each set (meter, dimension set) that is asked for.
    """
    meter_ids = {meter_id for one in groups for meter_id, _ in one}
    spans = [Span(customer_id, *period) for period in periods]
    return totals_of(spans, meter_ids, grouping=by_label(groups), as_of=as_of)
