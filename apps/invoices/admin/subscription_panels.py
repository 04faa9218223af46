"""On a subscription's page: what the open period has come to and where it heads, and its invoices."""

from typing import Any

from django.http import HttpRequest

from apps.core import clock
from apps.core.admin.display import NOTHING, period_text
from apps.core.admin.registry import Panel, register_panel
from apps.core.money import money_display
from apps.invoices.admin.document import unpriced_rows
from apps.invoices.admin.rows import SHOWN, invoice_rows, line_rows, unbilled_rows
from apps.invoices.models import Invoice
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.draft_lines import unpriced_documents
from apps.invoices.services.project import Pace, projected_amount
from apps.invoices.teams import sharers_of
from apps.subscriptions.models import Subscription


def open_period_of(request: HttpRequest, subscription: Subscription) -> dict[str, Any] | None:
    """By the code that bills; None when it has ended."""
    if subscription.status != Subscription.Status.ACTIVE:
        return None
    now, period, zone = clock.now(), subscription.open_period, subscription.time_zone
    computed = compute_invoice(subscription=subscription, period=period, as_of=now)
    pace = Pace.of(period, now)
    projected = projected_amount(pace, computed)
    return {
        "period": period_text(period.start, period.end, zone),
        "total": money_display(computed.total, computed.currency),
        "projected": NOTHING if projected is None else money_display(projected, computed.currency),
        "unbilled": unbilled_rows([subscription], now).get(subscription.pk),
        "passed": f"{100 * pace.elapsed // pace.whole}%",
        "lines": line_rows(computed, sharers_of(computed.lines)),
        "unpriced": unpriced_rows(unpriced_documents(computed), zone),
    }


def invoices_of(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    found = Invoice.objects.filter(subscription=subscription).order_by("-id")[:SHOWN]
    return {"customer": subscription.customer, "invoices": invoice_rows(found, subscription.time_zone)}


register_panel(
    "subscriptions.subscription",
    Panel(20, "admin/invoices/invoice/open_period.html", "invoices.view_invoice", open_period_of),
)
register_panel(
    "subscriptions.subscription",
    Panel(30, "admin/invoices/invoice/of_customer.html", "invoices.view_invoice", invoices_of),
)
