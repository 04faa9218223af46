"""Write a computed invoice into a draft. Only drafts: a trigger refuses lines of any other invoice."""

from datetime import datetime
from typing import Any

from apps.core.text import instant_text
from apps.invoices.models import Invoice, InvoiceLine, TeamShare
from apps.invoices.services.compute import ComputedInvoice
from apps.invoices.services.lines import ComputedLine
from apps.invoices.services.team_shares import store_shares
from apps.rating import Step, plain


def write_lines(*, invoice: Invoice, computed: ComputedInvoice, now: datetime) -> None:
    """Replace the draft's lines and totals; inside a transaction that holds the invoice's row."""
    assert invoice.is_draft
    TeamShare.objects.filter(line__invoice=invoice).delete()
    invoice.lines.all().delete()
    rows = InvoiceLine.objects.bulk_create(
        [as_row(invoice, position, line) for position, line in enumerate(computed.lines)]
    )
    store_shares(rows, computed.lines)
    invoice.subtotal = invoice.total = computed.total
    invoice.unpriced = unpriced_documents(computed)
    invoice.usage_cutoff_at = now
    invoice.save(update_fields=["subtotal", "total", "unpriced", "usage_cutoff_at"])


def as_row(invoice: Invoice, position: int, line: ComputedLine) -> InvoiceLine:
    meter, source = line.meter, line.price or line.one_off
    assert source is not None
    return InvoiceLine(
        invoice=invoice,
        position=position,
        kind=line.kind,
        price=line.price,
        one_off=line.one_off,
        description=line.description,
        period_start=line.period.start,
        period_end=line.period.end,
        quantity=line.quantity,
        unit=meter.unit if meter else "",
        unit_amount=source.unit_amount,
        event_count=line.event_count,
        unrounded_amount=line.unrounded_amount,
        amount=line.amount,
        steps=[step_document(step) for step in line.steps],
    )


def step_document(step: Step) -> dict[str, Any]:
    """A row of the explanation as JSON: decimals as plain strings, what does not apply left out."""
    document: dict[str, Any] = {"kind": str(step.kind), "description": step.description}
    for name in ("quantity", "unit_amount", "flat_amount", "rate", "amount"):
        value = getattr(step, name)
        if value is not None:
            document[name] = plain(value)
    return document


def unpriced_documents(computed: ComputedInvoice) -> list[dict[str, Any]]:
    """Usage that no price takes, as JSON; kept with the invoice, so that it is not forgotten with the period."""
    return [
        {
            "meter": row.meter_code,
            "dimensions": dict(row.dimensions),
            "period_start": instant_text(row.period.start),
            "period_end": instant_text(row.period.end),
            "quantity": plain(row.quantity),
            "event_count": row.event_count,
            **({"team": row.team} if row.team else {}),
        }
        for row in computed.unpriced
    ]
