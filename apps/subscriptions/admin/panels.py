"""On the customer's page: the plans the customer is on."""

from typing import Any

from django.http import HttpRequest

from apps.core import clock
from apps.core.admin.registry import Panel, register_panel
from apps.customers.models import Customer
from apps.subscriptions.admin.wording import open_period_text
from apps.subscriptions.models import Subscription
from apps.subscriptions.outline import phase_at, state_of, with_phases

SHOWN = 5


def subscriptions_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    now = clock.now()
    rows = list(
        with_phases(Subscription.objects.filter(customer=customer)).order_by("status", "-id")[: SHOWN + 1]
    )
    return {
        "has_more": len(rows) > SHOWN,
        "subscriptions": [
            {
                "record": subscription,
                "version": str(subscription.plan_version),
                "seats": f"{phase_at(subscription, now).quantity:,}",
                "status": state_of(subscription, now),
                "period": open_period_text(subscription),
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
