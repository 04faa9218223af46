"""Invoices and computed lines as rows of a panel."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from apps.core.admin.display import day_text, period_text, quantity_text
from apps.core.money import money_display
from apps.invoices.models import Invoice
from apps.invoices.services.bill_thresholds import unbilled_of
from apps.invoices.services.compute import ComputedInvoice
from apps.invoices.teams import Sharers
from apps.subscriptions.models import Subscription

SHOWN = 6


def kind_text(invoice: Invoice) -> str:
    """Most are of a cycle, which needs no word."""
    return "" if invoice.kind == Invoice.Kind.CYCLE else str(invoice.get_kind_display())


def state_text(invoice: Invoice) -> str:
    """A draft that is held is more than a draft to whoever looks for what is left to do."""
    return "Parked" if invoice.is_parked else str(invoice.get_status_display())


def invoice_rows(invoices: Iterable[Invoice], zone: str) -> list[dict[str, Any]]:
    return [
        {
            "record": invoice,
            "status": state_text(invoice),
            "period": period_text(invoice.period_start, invoice.period_end, zone),
            "due": day_text(invoice.due_on),
            "kind": kind_text(invoice),
        }
        for invoice in invoices
    ]


def unbilled_rows(subscriptions: Sequence[Subscription], now: datetime) -> dict[int, dict[str, str]]:
    """How near usage is to its threshold, by subscription; those without one are left out."""
    currencies = {one.pk: one.plan_version.currency for one in subscriptions}
    return {
        pk: {
            "amount": money_display(one.amount, currencies[pk]),
            "threshold": money_display(one.threshold, currencies[pk]),
        }
        for pk, one in unbilled_of(subscriptions, now).items()
    }


def line_rows(computed: ComputedInvoice, sharers: Sharers) -> list[dict[str, Any]]:
    return [
        {
            "description": line.description,
            "quantity": quantity_text(line.quantity) if line.quantity is not None else "",
            "amount": money_display(line.amount, computed.currency),
            "teams": [
                {
                    "customer": sharers[one.customer_id],
                    "quantity": quantity_text(one.quantity),
                    "amount": money_display(one.amount, computed.currency),
                }
                for one in line.shares
            ],
        }
        for line in computed.lines
    ]
