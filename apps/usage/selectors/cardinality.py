"""Meters that are grouped more finely than is good for them."""

from django.db.models import F

from apps.catalog.models import Meter
from apps.usage.models import MeterCardinality

SHOWN = 5


def wide_meters() -> list[MeterCardinality]:
    """Meters in use with as many dimension sets as staff are warned from, the widest first; one query."""
    found = MeterCardinality.objects.select_related("meter").filter(
        meter__archived_at__isnull=True, dimension_sets__gte=F("meter__cardinality_warning_from")
    )
    return list(found.order_by("-dimension_sets", "meter_id")[:SHOWN])


def cardinality_of(meter: Meter) -> MeterCardinality | None:
    return MeterCardinality.objects.filter(meter=meter).first()
