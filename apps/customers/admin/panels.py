"""On the customer's page: how to reach them, and who they belong to."""

from typing import Any

from django.http import HttpRequest

from apps.core.admin.registry import Panel, register_panel
from apps.customers.models import Customer

SHOWN = 5


def contact_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    teams = list(customer.children.order_by("name", "id")[: SHOWN + 1])
    return {"customer": customer, "teams": teams[:SHOWN], "are_more": len(teams) > SHOWN}


register_panel(
    "customers.customer",
    Panel(45, "admin/customers/customer/contact.html", "customers.view_customer", contact_of),
)
