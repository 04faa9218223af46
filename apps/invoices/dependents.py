"""Which issued invoices rest on what another one charged: they have to be void before it can be."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.catalog.models import Price
from apps.invoices.models import Invoice, InvoiceLine

Kind = InvoiceLine.Kind
NOT_ISSUED = (Invoice.Status.DRAFT, Invoice.Status.VOID)


def issued_beside(invoice: Invoice) -> QuerySet[Invoice]:
    """The other issued invoices of its subscription, the last issued first: none rests on one that came after it.

    One-off charges rest on none, and neither do openings: they ask for what is due then, whatever else is billed.
    """
    others = Invoice.objects.filter(subscription_id=invoice.subscription_id).exclude(pk=invoice.pk)
    others = others.exclude(kind__in=[Invoice.Kind.ONE_OFF, Invoice.Kind.OPENING])
    return others.exclude(status__in=NOT_ISSUED).order_by("-finalized_at", "-id")


def resting_on(invoice: Invoice) -> list[Invoice]:
    """What an issued invoice charged, others took for charged. Newest first, in the order of voiding.

    - Usage: another invoice charges the same price for the same time, which is the difference to this one.
    - Fees at the start: the invoice of the period that they are for charged what was still lacking, or gave back
      what was unused.
    - What was billed ahead: later invoices of the cycle took it off.
    - An opening that came too soon: the last invoice gave it back.
    """
    usage = InvoiceLine.objects.filter(
        invoice=invoice, kind=Kind.USAGE, price=OuterRef("price"), period_start=OuterRef("period_start"),
        period_end=OuterRef("period_end"),
    )  # fmt: skip
    differences = InvoiceLine.objects.filter(
        Exists(usage), invoice=OuterRef("pk"), kind__in=(Kind.USAGE, Kind.ADJUSTMENT)
    )
    later = Q(finalized_at__gt=invoice.finalized_at) | Q(finalized_at=invoice.finalized_at, pk__gt=invoice.pk)
    rests = Q(Exists(differences)) | Q(Exists(fees_ahead(invoice)))
    if invoice.kind == Invoice.Kind.THRESHOLD:
        rests |= Q(kind__in=(Invoice.Kind.CYCLE, Invoice.Kind.THRESHOLD), period_start=invoice.period_start)
    if invoice.kind == Invoice.Kind.OPENING:
        given_back = InvoiceLine.objects.filter(
            invoice=OuterRef("pk"), kind=Kind.CREDIT, price__in=invoice.lines.values("price")
        )
        rests |= Q(Exists(given_back), kind=Invoice.Kind.CYCLE, period_end__lte=invoice.period_start)
    return list(issued_beside(invoice).filter(later).filter(rests))


def in_the_way_of(draft: Invoice) -> list[Invoice]:
    """Issued invoices that took fees at the start on a draft for not charged, or not given back, and did it themselves.

    - Fees ahead: the invoice of the period that they are for.
    - What settles its own fee period: invoices of later cycles in it that were issued while this one was void.
    """
    others = issued_beside(draft)
    return list(others.filter(Exists(fees_ahead(draft)) | settled_since(draft)))


def settled_since(draft: Invoice) -> Q:
    """Whoever is issued for a later cycle of a fee period brings it to what is due, whatever others had left of it."""
    void = draft.reissue_of
    own = draft.lines.filter(
        price__billing_timing=Price.Timing.ADVANCE, period_start__lt=draft.period_end
    ).exclude(amount=0)
    if void is None or draft.kind != Invoice.Kind.CYCLE or not own.exists():
        return Q(pk__in=[])
    return Q(
        kind=Invoice.Kind.CYCLE,
        period_start__gte=draft.period_end,
        period_start__lt=draft.subscription.timeline().renewal_at(draft.period_start),
        finalized_at__gte=void.status_changed_at,
    )


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
