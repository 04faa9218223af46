"""On the customer's page: cost to date and the latest invoices. In the sidebar: how many drafts wait."""

from typing import Any

from django.db.models import Sum
from django.http import HttpRequest

from apps.core import clock
from apps.core.admin.display import NOTHING, period_text
from apps.core.admin.registry import COUNTED_AT_MOST, Panel, register_count, register_panel
from apps.core.money import money_display
from apps.customers.models import Customer
from apps.invoices.admin import change_preview, history, subscription_panels, team_preview  # noqa: F401 - they register
from apps.invoices.admin.document import unpriced_rows
from apps.invoices.admin.rows import SHOWN, invoice_rows, line_rows, unbilled_rows
from apps.invoices.models import Invoice
from apps.invoices.selectors import drafts
from apps.invoices.services.draft_lines import unpriced_documents
from apps.invoices.services.project import Pace, projected_amount
from apps.invoices.services.upcoming import upcoming_invoices
from apps.invoices.teams import sharers_of
from apps.rating import exact_sum


def cost_to_date(request: HttpRequest, customer: Customer) -> dict[str, Any] | None:
    """What the next invoices would say now, by the code that bills; None for a customer without a plan."""
    now = clock.now()
    computed = upcoming_invoices(customer=customer, as_of=now)
    if not computed:
        return None
    shown = computed[:SHOWN]
    unbilled = unbilled_rows([one.subscription for one in shown], now)
    sharers = sharers_of(line for one in shown for line in one.lines)
    projected = [projected_amount(Pace.of(one.period, now), one) for one in computed]
    known = [amount for amount in projected if amount is not None]
    return {
        "total": money_display(exact_sum([one.total for one in computed]), customer.currency),
        "projected": (
            money_display(exact_sum(known), customer.currency) if len(known) == len(projected) else NOTHING
        ),
        "bills": [
            {
                "plan": str(one.subscription.plan_version),
                "period": period_text(one.period.start, one.period.end, customer.time_zone),
                "lines": line_rows(one, sharers),
                "unbilled": unbilled.get(one.subscription.pk),
                "unpriced": unpriced_rows(unpriced_documents(one), customer.time_zone),
            }
            for one in shown
        ],
        "more": max(len(computed) - SHOWN, 0),
        "customer": customer,
    }


def invoices_of(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    theirs = Invoice.objects.filter(customer=customer)
    is_open = theirs.filter(status=Invoice.Status.OPEN).aggregate(total=Sum("total"))["total"]
    return {
        "customer": customer,
        "open": "" if is_open is None else money_display(is_open, customer.currency),
        "invoices": invoice_rows(theirs.order_by("-id")[:SHOWN], customer.time_zone),
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
