"""Usage as rows of customer, window, meter and dimension values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.catalog.models import Meter
from apps.usage.selectors.totals import ZERO, Quantity, Span, by_dimensions, totals_of


@dataclass(frozen=True, slots=True)
class UsageRow:
    """`dimensions` is None for a window in which nothing was used, when usage is grouped."""

    span: Span
    meter: Meter
    dimensions: dict[str, str] | None
    quantity: Quantity


def usage_rows(
    spans: Sequence[Span],
    meters: Sequence[Meter],
    *,
    group_by: Sequence[str],
    filters: Mapping[str, Sequence[str]],
    as_of: datetime,
    at_most: int | None = None,
) -> Iterator[list[UsageRow]]:
    """For each span its rows, by meter as given, then by dimension values. Every meter has a row, be it zero.

    With `at_most` the first spans alone, as `totals_of` has it.
    """
    totals = totals_of(
        spans,
        {meter.pk: meter.aggregation for meter in meters},
        grouping=by_dimensions(group_by, filters),
        as_of=as_of,
        at_most=at_most,
    )
    for span, total in zip(spans, totals, strict=at_most is None):
        by_meter: dict[int, list[tuple[tuple[str, ...] | None, Quantity]]] = {
            meter.pk: [] for meter in meters
        }
        for (meter_id, values), quantity in sorted(total.items(), key=lambda item: item[0]):
            by_meter[meter_id].append((values, quantity))
        unused = (None if group_by else (), ZERO)
        yield [
            UsageRow(
                span, meter, None if values is None else dict(zip(group_by, values, strict=True)), quantity
            )
            for meter in meters
            for values, quantity in by_meter[meter.pk] or [unused]
        ]
