"""On the customer's page: the latest events. In the sidebar: how many wait in quarantine."""

from typing import Any

from django.http import HttpRequest

from apps.catalog.models import Meter
from apps.core.admin.registry import COUNTED_AT_MOST, Panel, register_count, register_panel
from apps.customers.models import Customer
from apps.usage.admin.usage_event import shown
from apps.usage.models import DimensionSet, QuarantinedEvent, UsageEvent
from apps.usage.selectors import latest_events

SHOWN = 6


def events_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    return {"events": list(latest_events(customer.pk)[:SHOWN]), "customer": customer}


def readings_of(request: HttpRequest, event: UsageEvent) -> dict[str, Any]:
    """What each meter read off the event, as it was when the event came in: meters come and go."""
    meters = Meter.objects.in_bulk(event.shape.meter_ids)
    dimensions = DimensionSet.objects.in_bulk(event.shape.dimension_set_ids)
    return {
        "readings": [
            {
                "meter": meters.get(meter_id),
                "value": shown(value),
                "dimensions": dimensions.get(set_id),
            }
            for meter_id, set_id, value in event.readings
        ]
    }


def waiting() -> int:
    return QuarantinedEvent.objects.filter(status=QuarantinedEvent.Status.WAITING)[
        : COUNTED_AT_MOST + 1
    ].count()


register_panel(
    "customers.customer",
    Panel(40, "admin/usage/usageevent/of_customer.html", "usage.view_usageevent", events_of),
)
register_panel(
    "usage.usageevent",
    Panel(10, "admin/usage/usageevent/readings.html", "usage.view_usageevent", readings_of, is_wide=True),
)
register_count("quarantine", waiting)
