"""Invoices and computed lines as rows of a panel."""

from collections.abc import Iterable
from typing import Any

from apps.core.admin.display import day_text, period_text, quantity_text
from apps.core.money import money_display
from apps.invoices.models import Invoice
from apps.invoices.services.compute import ComputedInvoice

SHOWN = 6


def invoice_rows(invoices: Iterable[Invoice], zone: str) -> list[dict[str, Any]]:
    return [
        {
            "record": invoice,
            "status": invoice.get_status_display(),
            "period": period_text(invoice.period_start, invoice.period_end, zone),
            "due": day_text(invoice.due_on),
        }
        for invoice in invoices
    ]


def line_rows(computed: ComputedInvoice) -> list[dict[str, Any]]:
    return [
        {
            "description": line.description,
            "quantity": quantity_text(line.quantity) if line.quantity is not None else "",
            "amount": money_display(line.amount, computed.currency),
        }
        for line in computed.lines
    ]
