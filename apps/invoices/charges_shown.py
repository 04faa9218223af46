"""One-off charges as they are told: with the invoice that each is on."""

from django.db.models import Prefetch, QuerySet

from apps.invoices.models import Invoice, InvoiceLine, OneOffCharge

PENDING, DRAFTED, INVOICED, WITHDRAWN = "pending", "drafted", "invoiced", "withdrawn"


def with_invoices(charges: QuerySet[OneOffCharge]) -> QuerySet[OneOffCharge]:
    """One query more for all of them. A void invoice charges nothing."""
    lines = InvoiceLine.objects.exclude(invoice__status=Invoice.Status.VOID)
    live = lines.select_related("invoice__customer").order_by("id")
    return charges.select_related("subscription").prefetch_related(Prefetch("invoice_lines", queryset=live))


def invoice_of(charge: OneOffCharge) -> Invoice | None:
    """Give it charges `with_invoices`."""
    return next((line.invoice for line in charge.invoice_lines.all()), None)


def state_of(charge: OneOffCharge) -> str:
    """Pending is what the next invoice takes, or the reissue of one that was voided."""
    if charge.withdrawn_at is not None:
        return WITHDRAWN
    invoice = invoice_of(charge)
    if invoice is None:
        return PENDING
    return DRAFTED if invoice.is_draft else INVOICED
