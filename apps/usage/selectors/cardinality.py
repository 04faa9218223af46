"""Meters that are grouped, or filtered, more finely than is good for them."""

from django.db.models import F, Q

from apps.catalog.models import Meter
from apps.usage.models import MeterCardinality

SHOWN = 5
# Fewer values of a property that a filter names are kinds, and not what makes the shapes many.
MANY_VALUES = 100


def wide_meters() -> list[MeterCardinality]:
    """Meters in use of which staff are warned, the widest first; one query."""
    limit = F("meter__cardinality_warning_from")
    found = MeterCardinality.objects.select_related("meter").filter(
        Q(dimension_sets__gte=limit) | Q(shapes__gte=limit, widest_filter_count__gte=MANY_VALUES),
        meter__archived_at__isnull=True,
    )
    return list(found.order_by("-dimension_sets", "-shapes", "meter_id")[:SHOWN])


def is_wide(one: MeterCardinality) -> bool:
    """As `wide_meters` has it."""
    limit = one.meter.cardinality_warning_from
    return one.dimension_sets >= limit or (one.shapes >= limit and one.widest_filter_count >= MANY_VALUES)


def cardinality_of(meter: Meter) -> MeterCardinality | None:
    return MeterCardinality.objects.select_related("meter").filter(meter=meter).first()
