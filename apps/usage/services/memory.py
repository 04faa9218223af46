"""What a process remembers of a tenant's catalog and customers, so that a batch asks for none of it.

Right after a change: each batch reads the version of its schema first (`core.lookups`) and starts anew when
another is remembered. Customers and shapes are only ever added to it; what is not remembered is asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from typing import Any

import msgspec
from django.conf import settings
from django.db.models import Subquery

from apps.catalog.definitions import measurement_of
from apps.catalog.measure import Measurement
from apps.catalog.models import Meter
from apps.catalog.selectors import meters_by_event_name
from apps.core import lookups
from apps.usage.models import DayMark, UsageSettings
from apps.usage.services.validate import micros_of

# Then it starts anew: customers and dimension sets (each 100 to 350 bytes), shapes of an event name (1.5 KB).
MAX_REMEMBERED = 200_000
MAX_SHAPES = 20_000
ADDITIVE = frozenset({Meter.Aggregation.SUM, Meter.Aggregation.COUNT})

# Source, names of the properties as they came, values of those that are fixed.
ShapeKey = tuple[str, tuple[str, ...], tuple[Any, ...]]
Getter = Callable[[dict[str, Any]], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class ShapeReading:
    """What one meter reads off events of a shape. `aggregation` decides how it is added up."""

    meter_id: int
    dimension_set_id: int
    aggregation: str
    # The property whose value it is, as it stands; None when it is computed, or the constant 1.
    name: str | None
    position: int

    @property
    def is_text(self) -> bool:
        return self.aggregation == Meter.Aggregation.UNIQUE_COUNT


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A row of EventShape, ready to be used. Compared by identity: there is one for each row in a memory."""

    pk: int
    names: tuple[str, ...]
    readings: tuple[ShapeReading, ...]
    is_additive: bool
    is_plain: bool  # no computed values


@dataclass(frozen=True, slots=True, eq=False)
class KnownShape:
    """A shape with what is needed to read an event whose properties come in a known order."""

    shape: Shape
    # The names of all properties in their order, as JSON, and all values in the order of names.
    names: bytes
    every_value: Getter
    stored_values: Getter
    read_values: Getter
    # Whether all that is read are numbers that stand in the event, one at least.
    is_simple: bool

    @classmethod
    def of(cls, shape: Shape, names: Iterable[str]) -> "KnownShape":
        ordered = sorted(names)
        read = [one.name for one in shape.readings if one.name is not None]
        return cls(
            shape,
            msgspec.json.encode(ordered),
            getter(ordered),
            getter(shape.names),
            getter(read),
            is_simple=len(read) == len(shape.readings) and not any(one.is_text for one in shape.readings),
        )


def getter(names: Sequence[str]) -> Getter:
    """From properties to the tuple of these values. `itemgetter` gives a single value bare."""
    if not names:
        return lambda properties: ()
    get = itemgetter(*names)
    return get if len(names) > 1 else lambda properties: (get(properties),)


@dataclass(slots=True)
class EventPlan:
    """The meters of one event name, and what has to be looked at to know which of them read an event."""

    measurements: list[Measurement]
    fixed_names: tuple[str, ...]
    # Of meters whose definition has changed: their number and which definition it is. Shapes are of one definition.
    versions: tuple[tuple[int, int], ...]
    shapes: dict[ShapeKey, KnownShape] = field(default_factory=dict)

    @classmethod
    def of(cls, meters: list[Meter]) -> "EventPlan":
        measurements = [measurement_of(meter) for meter in meters]
        names = {name for one in measurements for name in one.dimensions}
        names |= {row.property for one in measurements for row in one.filters}
        versions = [(meter.pk, meter.definition_version) for meter in meters if meter.definition_version > 1]
        return cls(measurements, tuple(sorted(names)), tuple(versions))

    def remember(self, key: ShapeKey, shape: Shape) -> None:
        if len(self.shapes) >= MAX_SHAPES:
            self.shapes = {}
        self.shapes[key] = KnownShape.of(shape, key[1])


@dataclass(slots=True)
class Memory:
    version: int
    plans: dict[str, EventPlan]
    backdating: timedelta
    # Microseconds since 1970: batches write sums and counts of the days before (`DayMark`).
    days_before: int
    # A batch that repeats known events is likely followed by another one: it is not tried the quick way first.
    expects_repeats: bool = False
    customers: dict[str, int] = field(default_factory=dict)
    dimension_sets: dict[tuple[tuple[str, str], ...], int] = field(default_factory=dict)

    def learn(
        self, customers: dict[str, int], dimension_sets: dict[tuple[tuple[str, str], ...], int]
    ) -> None:
        """Another thread may be reading: what is too large gives way to a new one and is not emptied."""
        if len(self.customers) + len(customers) > MAX_REMEMBERED:
            self.customers = {}
        self.customers |= customers
        if len(self.dimension_sets) + len(dimension_sets) > MAX_REMEMBERED:
            self.dimension_sets = {}
        self.dimension_sets |= dimension_sets


_memories: dict[tuple[str, str], Memory] = {}


def recall(version: int, *, may_remember: bool) -> Memory:
    """The memory of the entered schema at this version; two queries when there is none."""
    place = lookups.place()
    found = _memories.get(place)
    if may_remember and found is not None and found.version == version:
        return found
    backdating = Subquery(UsageSettings.objects.values("backdating_days")[:1])
    written_before, days = DayMark.objects.values_list("written_before", backdating).get()
    memory = Memory(
        version,
        plans={name: EventPlan.of(meters) for name, meters in meters_by_event_name().items()},
        backdating=timedelta(days=settings.INGESTION_BACKDATING_DAYS if days is None else days),
        days_before=micros_of(written_before),
    )
    if may_remember:
        _memories[place] = memory
    return memory
