"""Sums and counts of events that are put together by shape already."""

from collections.abc import Iterable

from apps.usage.services.columns import Group, Values
from apps.usage.services.rollups.buckets import HOUR, BucketKey, Number

Total = tuple[Number, int]


def add_to(hours: dict[BucketKey, Total], groups: Iterable[Group]) -> None:
    """Add to totals by hour what groups have whose readings are all added up. In the context `buckets.EXACT`."""
    for group in groups:
        together: dict[tuple[int, int], list[Values]] = {}
        for customer_id, micros, values in zip(group.customer_ids, group.micros, group.values, strict=True):
            together.setdefault((customer_id, micros - micros % HOUR), []).append(values)
        for (customer_id, hour), rows in together.items():
            count = len(rows)
            for reading, column in zip(group.shape.readings, zip(*rows, strict=True), strict=True):
                bucket = (customer_id, reading.meter_id, hour, reading.dimension_set_id)
                # A column holds numbers alone: texts are of unique counts.
                quantity: Number = sum(column)
                known = hours.get(bucket)
                hours[bucket] = (
                    (quantity, count) if known is None else (known[0] + quantity, known[1] + count)
                )
