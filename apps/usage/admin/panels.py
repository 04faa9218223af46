"""On the customer's page: the latest events. In the sidebar: how many wait in quarantine."""

from typing import Any

from django.http import HttpRequest

from apps.core.admin.registry import COUNTED_AT_MOST, Panel, register_count, register_panel
from apps.customers.models import Customer
from apps.usage.models import QuarantinedEvent, UsageEvent

SHOWN = 6


def events_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    return {
        "events": list(UsageEvent.objects.filter(customer=customer).order_by("-timestamp")[:SHOWN]),
        "customer": customer,
    }


def waiting() -> int:
    return QuarantinedEvent.objects.filter(status=QuarantinedEvent.Status.WAITING)[
        : COUNTED_AT_MOST + 1
    ].count()


register_panel(
    "customers.customer",
    Panel(40, "admin/usage/usageevent/of_customer.html", "usage.view_usageevent", events_of),
)
register_count("quarantine", waiting)
