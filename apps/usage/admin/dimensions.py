"""On a meter's page: how finely it is grouped, with a warning before that hurts."""

from typing import Any

from django.http import HttpRequest

from apps.catalog.models import Meter
from apps.core.admin.display import instant_text
from apps.core.admin.registry import Panel, register_panel
from apps.usage.selectors.cardinality import cardinality_of, is_wide


def grouping_of(request: HttpRequest, meter: Meter) -> dict[str, Any] | None:
    """Left out for a meter without dimensions and filters, and before it was counted."""
    one = cardinality_of(meter) if meter.dimensions or meter.filters else None
    if one is None:
        return None
    return {
        "one": one,
        "is_wide": is_wide(one),
        "month": f"{one.month_on:%B %Y}",
        "counted": instant_text(one.counted_at),
        "limit": f"{meter.cardinality_warning_from:,}",
        "percent": min(100, 100 * one.dimension_sets // meter.cardinality_warning_from),
    }


register_panel(
    "catalog.meter",
    Panel(50, "admin/usage/cardinality_of_meter.html", "usage.view_usageevent", grouping_of, is_wide=True),
)
