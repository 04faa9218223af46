"""On the customer's page: cost to date and the latest invoices. In the sidebar: how many drafts wait."""

from typing import Any

from django.http import HttpRequest

from apps.core import clock
from apps.core.admin.display import day_text, period_text, quantity_text
from apps.core.admin.registry import COUNTED_AT_MOST, Panel, register_count, register_panel
from apps.core.money import money_display
from apps.customers.models import Customer
from apps.invoices.admin.document import unpriced_rows
from apps.invoices.models import Invoice
from apps.invoices.selectors import drafts
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.draft_lines import unpriced_documents
from apps.subscriptions.selectors import active_subscriptions_of

SHOWN = 6


def cost_to_date(request: HttpRequest, customer: Customer) -> dict[str, Any] | None:
    """What the next invoices would say now, by the code that bills; None for a customer without a plan."""
    computed = [
        compute_invoice(subscription=subscription, period=subscription.open_period, as_of=clock.now())
        for subscription in active_subscriptions_of(customer)
    ]
    if not computed:
        return None
    return {
        "total": money_display(sum(one.total for one in computed), customer.currency),
        "bills": [
            {
                "plan": str(one.subscription.plan_version),
                "period": period_text(one.period.start, one.period.end, customer.time_zone),
                "lines": [
                    {
                        "description": line.description,
                        "quantity": quantity_text(line.quantity) if line.quantity is not None else "",
                        "amount": money_display(line.amount, one.currency),
                    }
                    for line in one.lines
                ],
                "unpriced": unpriced_rows(unpriced_documents(one), customer.time_zone),
            }
            for one in computed
        ],
    }


def invoices_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    return {
        "customer": customer,
        "invoices": [
            {
                "record": invoice,
                "status": invoice.get_status_display(),
                "period": period_text(invoice.period_start, invoice.period_end, customer.time_zone),
                "due": day_text(invoice.due_on),
            }
            for invoice in Invoice.objects.filter(customer=customer).order_by("-id")[:SHOWN]
        ],
    }


def waiting_drafts() -> int:
    return drafts()[: COUNTED_AT_MOST + 1].count()


register_panel(
    "customers.customer",
    Panel(20, "admin/invoices/invoice/cost_to_date.html", "invoices.view_invoice", cost_to_date),
)
register_panel(
    "customers.customer",
    Panel(30, "admin/invoices/invoice/of_customer.html", "invoices.view_invoice", invoices_of),
)
register_count("drafts", waiting_drafts)
