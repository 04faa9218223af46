"""Which issued invoices rest on what another one charged: they have to be void before it can be."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.catalog.models import Price
from apps.invoices.models import Invoice, InvoiceLine

Kind = InvoiceLine.Kind
NOT_ISSUED = (Invoice.Status.DRAFT, Invoice.Status.VOID)


def issued_beside(invoice: Invoice) -> QuerySet[Invoice]:
    """The other issued invoices of its subscription, the newest period first."""
    others = Invoice.objects.filter(subscription_id=invoice.subscription_id).exclude(pk=invoice.pk)
    return others.exclude(status__in=NOT_ISSUED).order_by("-period_end", "-finalized_at", "-id")


def resting_on(invoice: Invoice) -> list[Invoice]:
    """What an issued invoice charged, others took for charged. Newest first, in the order of voiding.

    - Usage: another invoice charges the same price for the same time, which is the difference to this one.
    - Fees at the start: the invoice of the period that they are for charged what was still lacking, or gave back
      what was unused.
    """
    usage = InvoiceLine.objects.filter(
        invoice=invoice, kind=Kind.USAGE, price=OuterRef("price"), period_start=OuterRef("period_start"),
        period_end=OuterRef("period_end"),
    )  # fmt: skip
    differences = InvoiceLine.objects.filter(
        Exists(usage), invoice=OuterRef("pk"), kind__in=(Kind.USAGE, Kind.ADJUSTMENT)
    )
    later = Q(finalized_at__gt=invoice.finalized_at) | Q(finalized_at=invoice.finalized_at, pk__gt=invoice.pk)
    return list(
        issued_beside(invoice).filter(later).filter(Exists(differences) | Exists(fees_ahead(invoice)))
    )


def in_the_way_of(draft: Invoice) -> list[Invoice]:
    """Issued invoices that took the fees which a draft charges ahead for not charged, and charged them themselves."""
    return list(issued_beside(draft).filter(Exists(fees_ahead(draft))))


def fees_ahead(invoice: Invoice) -> QuerySet[InvoiceLine]:
    """Fees at the start on `invoice` for the period of another one, as a subquery of that."""
    return (
        InvoiceLine.objects.filter(
            invoice=invoice,
            price__billing_timing=Price.Timing.ADVANCE,
            period_start__lt=OuterRef("period_end"),
            period_end__gt=OuterRef("period_start"),
        )
        .exclude(amount=0)
        .filter(Q(period_start__gte=invoice.period_end) | Q(invoice__kind=Invoice.Kind.OPENING))
    )
