"""On the customer's page: the plans the customer is on."""

from typing import Any

from django.http import HttpRequest

from apps.core.admin.display import period_text
from apps.core.admin.registry import Panel, register_panel
from apps.customers.models import Customer
from apps.subscriptions.models import Subscription

SHOWN = 5


def subscriptions_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    rows = (
        Subscription.objects.filter(customer=customer)
        .select_related("plan_version__plan")
        .order_by("status", "-id")
    )
    return {
        "subscriptions": [
            {
                "record": subscription,
                "version": str(subscription.plan_version),
                "status": subscription.get_status_display(),
                "period": period_text(
                    subscription.invoiced_until, subscription.next_boundary_at, subscription.time_zone
                ),
            }
            for subscription in rows[:SHOWN]
        ],
        "customer": customer,
        "may_add": request.user.has_perm("subscriptions.add_subscription"),
    }


register_panel(
    "customers.customer",
    Panel(
        10,
        "admin/subscriptions/subscription/of_customer.html",
        "subscriptions.view_subscription",
        subscriptions_of,
    ),
)
