"""An invoice as its page shows it: plain values for the template, a fixed number of queries."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from apps.catalog.admin.price_layout import TIERED
from apps.catalog.admin.wording import summary_of, unit_of
from apps.catalog.models import Meter, Price
from apps.core.admin.display import (
    NOTHING,
    day_text,
    instant_text,
    per_million_text,
    period_text,
    quantity_text,
    rate_text,
)
from apps.core.money import money_display
from apps.customers.models import Customer
from apps.invoices.admin.rows import kind_text
from apps.invoices.models import Invoice, InvoiceLine, TeamShare
from apps.invoices.parties import parties_of
from apps.invoices.selectors import USAGE_KINDS
from apps.invoices.teams import team_totals

# Lines that need no word about what they are.
ORDINARY = (InvoiceLine.Kind.FLAT, InvoiceLine.Kind.USAGE)
ADDED_UP = (Meter.Aggregation.SUM, Meter.Aggregation.COUNT, Meter.Aggregation.TIME_WEIGHTED_SUM)
LINE_EVENTS = "admin:invoices_invoice_line_events"
EVENTS = "admin:usage_usageevent_changelist"


def document_of(request: HttpRequest, invoice: Invoice) -> dict[str, Any]:
    """Parties are those frozen in the invoice, or for a draft those it would be issued with now."""
    zone = invoice.customer.time_zone
    may_see_events = request.user.has_perm("usage.view_usageevent")
    lines = list(
        invoice.lines.select_related("price__meter", "price__plan_version__plan").prefetch_related(
            "team_shares__customer"
        )
    )
    return {
        "number": invoice.number or ("Draft invoice" if invoice.is_draft else "Nothing owed"),
        "status": invoice.get_status_display(),
        "kind": kind_text(invoice),
        "is_ahead": invoice.kind == Invoice.Kind.THRESHOLD,
        "until": instant_text(invoice.period_end, zone),
        "total": invoice.total_display,
        "currency": invoice.currency,
        "zone": zone,
        "period": period_text(invoice.period_start, invoice.period_end, zone),
        "payment": invoice.get_payment_status_display(),
        "status_changed": instant_text(invoice.status_changed_at, zone),
        "due": day_text(invoice.due_on),
        "issued": instant_text(invoice.finalized_at, zone),
        "finalize_due": instant_text(invoice.finalize_due_at, zone),
        "cutoff": instant_text(invoice.usage_cutoff_at, zone),
        **parties(invoice),
        "lines": [line_of(line, invoice, zone, may_see_events) for line in lines],
        "teams": [
            {"customer": one.customer, "amount": money_display(one.amount, invoice.currency)}
            for one in team_totals(invoice, lines)
        ],
    }


def parties(invoice: Invoice) -> dict[str, str]:
    """An issued invoice carries its parties under the same names."""
    source = parties_of(invoice, invoice.customer) if invoice.is_draft else invoice
    return {
        "seller": joined(source.seller_name, source.seller_address, source.seller_tax_id),
        "customer_name": source.customer_name,
        "buyer": joined(source.customer_address, source.customer_tax_id),
        "memo": source.memo,
        "purchase_order_number": source.purchase_order_number,
    }


def joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def line_of(line: InvoiceLine, invoice: Invoice, zone: str, may_see_events: bool) -> dict[str, Any]:
    is_metered = line.kind in USAGE_KINDS
    return {
        "description": line.description,
        "plan": str(line.price.plan_version) if line.price else "",
        "badge": "" if line.kind in ORDINARY else line.get_kind_display(),
        # A line names its period only where it is not the invoice's.
        "period": ""
        if (line.period_start, line.period_end) == (invoice.period_start, invoice.period_end)
        else period_text(line.period_start, line.period_end, zone),
        "quantity": quantity_of(line),
        "unit_price": price_of(line, invoice.currency),
        "per_million": per_million_text(line.unit_amount, invoice.currency) if is_metered else "",
        "amount": money_display(line.amount, invoice.currency),
        "unrounded": quantity_text(line.unrounded_amount),
        "steps": [step_of(step) for step in line.steps],
        "teams": [share_row(one, invoice.currency) for one in line.team_shares.all()],
        "teams_note": teams_note(line),
        "event_count": line.event_count,
        "events_url": reverse(LINE_EVENTS, args=[invoice.pk, line.position])
        if is_metered and may_see_events
        else "",
        "explorer_url": events_url(line, invoice) if is_metered and may_see_events else "",
    }


def share_row(share: TeamShare, currency: str) -> dict[str, Any]:
    return {
        "customer": share.customer,
        "quantity": quantity_text(share.quantity),
        "amount": money_display(share.amount, currency),
    }


def teams_note(line: InvoiceLine) -> str:
    """What a largest or a different value of each is beside that of all."""
    meter = line.price.meter if line.price else None
    if meter is None or meter.aggregation in ADDED_UP:
        return ""
    kind = meter.get_aggregation_display().lower()
    return f"Each team's own {kind}. They don't add up to that of all; the amount is shared by them."


def seats_of(line: InvoiceLine) -> Decimal | None:
    """How many seats a fee was multiplied by; None for other lines."""
    first = line.steps[0] if line.steps else {}
    is_per_seat = line.price is not None and line.price.is_per_seat
    return Decimal(first["quantity"]) if is_per_seat and first.get("kind") == "unit" else None


def quantity_of(line: InvoiceLine) -> str:
    return quantity_text(line.quantity if line.quantity is not None else seats_of(line))


def price_of(line: InvoiceLine, currency: str) -> str:
    """What one unit costs, where that is one amount; else how it is priced. A fee has no units but seats."""
    if line.kind == InvoiceLine.Kind.CHARGE:
        return rate_text(line.unit_amount, currency)
    price = line.price
    if price is not None and seats_of(line) is not None:
        return f"{rate_text(price.flat_amount, currency)} a seat"
    if line.kind not in USAGE_KINDS or price is None:
        return NOTHING
    if price.model in TIERED:
        return price.get_model_display()
    if price.model == Price.Model.PER_UNIT:
        return f"{rate_text(line.unit_amount, currency)} per {unit_of(price)}"
    return summary_of(price, currency)


def unpriced_rows(documents: Sequence[dict[str, Any]], zone: str) -> list[dict[str, Any]]:
    """Usage that no price took, for staff: which meter, which dimension values, how much, when."""
    codes = {one["meter"] for one in documents}
    meters = {meter.code: meter for meter in Meter.objects.filter(code__in=codes)} if codes else {}
    ids = {one["team"] for one in documents if "team" in one}
    teams = {team.public_id: team for team in Customer.objects.filter(public_id__in=ids)} if ids else {}
    return [
        {
            "meter": meters.get(one["meter"]),
            "dimensions": ", ".join(
                f"{name} = {value or 'empty'}" for name, value in sorted(one["dimensions"].items())
            )
            or "no dimensions",
            "team": teams.get(one.get("team", "")),
            "quantity": quantity_text(Decimal(one["quantity"])),
            "event_count": one["event_count"],
            "period": period_text(
                datetime.fromisoformat(one["period_start"]), datetime.fromisoformat(one["period_end"]), zone
            ),
        }
        for one in documents
    ]


def step_of(step: dict[str, Any]) -> dict[str, str]:
    """A stored row of the explanation; what does not apply is empty."""

    def number(*names: str) -> str:
        return next((quantity_text(Decimal(step[name])) for name in names if name in step), "")

    return {
        "description": step["description"],
        "quantity": number("quantity"),
        "rate": number("unit_amount", "flat_amount", "rate"),
        "amount": number("amount"),
    }


def events_url(line: InvoiceLine, invoice: Invoice) -> str:
    """The events behind a line: the customer's, of the line's meter, in the line's half-open period."""
    query = {
        "customer__id__exact": invoice.customer_id,
        "meter": line.price.meter_id if line.price else None,
        "timestamp__gte": line.period_start.isoformat(),
        "timestamp__lt": line.period_end.isoformat(),
    }
    return f"{reverse(EVENTS)}?{urlencode(query)}"
