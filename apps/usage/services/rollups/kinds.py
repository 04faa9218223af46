"""How the aggregations are told apart, and the readings of a batch by aggregation and bucket."""

from collections.abc import Iterable

from apps.catalog.measure import whole_text
from apps.catalog.models import Meter
from apps.usage.services.memory import ADDITIVE
from apps.usage.services.reading import Row
from apps.usage.services.rollups.buckets import HOUR, BucketKey, Number, day_key

Aggregation = Meter.Aggregation

# The order in which totals are changed; those of one group in one go.
ORDER: tuple[frozenset[str], ...] = (
    frozenset(ADDITIVE),
    frozenset({Aggregation.MAX}),
    frozenset({Aggregation.MIN}),
    frozenset({Aggregation.LATEST}),
    frozenset({Aggregation.UNIQUE_COUNT}),
    frozenset({Aggregation.TIME_WEIGHTED_SUM}),
)

# Microseconds since 1970, and what was read then.
Numbers = dict[BucketKey, list[tuple[int, Number]]]
Texts = dict[BucketKey, list[str]]


class Readings:
    """What a batch read that is not added up, by hour. Texts are for unique counts."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.numbers: dict[str, Numbers] = {}
        self.texts: Texts = {}
        for row in rows:
            hour = row.micros - row.micros % HOUR
            for reading, value in zip(row.shape.readings, row.values, strict=True):
                if reading.aggregation in ADDITIVE:
                    continue
                key = (row.customer_id, reading.meter_id, hour, reading.dimension_set_id)
                if reading.is_text:
                    self.texts.setdefault(key, []).append(whole_text(value))
                elif not isinstance(value, str):
                    found = self.numbers.setdefault(reading.aggregation, {})
                    found.setdefault(key, []).append((row.micros, value))


def numbers_by_day(hours: Numbers) -> Numbers:
    days: Numbers = {}
    for key, found in hours.items():
        days.setdefault(day_key(key), []).extend(found)
    return days


def texts_by_day(hours: Texts) -> Texts:
    days: Texts = {}
    for key, found in hours.items():
        days.setdefault(day_key(key), []).extend(found)
    return days
