"""Finalize a draft: read its usage a last time, freeze the parties, take the number."""

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import DataError, connection, transaction
from django.db.models import Q

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.invoices.selectors import billing_settings, drafts
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.draft_lines import write_lines
from apps.rating import RatingError
from apps.subscriptions.models import Subscription

log = logging.getLogger(__name__)


def finalize_due_invoices(now: datetime) -> int:
    """Finalize every draft whose grace period has ended, oldest period first. Returns how many."""
    finalized = 0
    for invoice in drafts().filter(finalize_due_at__lte=now).order_by("period_end", "id"):
        try:
            finalize_invoice(invoice=invoice, now=now)
        except Refused as refused:
            # Another worker or a person was faster, or an earlier draft of the subscription is not due yet.
            log.info("invoice %s is left alone: %s", invoice.public_id, refused.message)
            continue
        except (RatingError, DataError):
            # The others go on; this one stays a draft and is tried again at the next run.
            log.exception("invoice %s can't be finalized", invoice.public_id)
            continue
        finalized += 1
    return finalized


@transaction.atomic
def finalize_invoice(*, invoice: Invoice, now: datetime) -> Invoice:
    """Issue `invoice`. Raises `Refused` not_a_draft, earlier_draft.

    The lines are computed again: events that came during the grace period belong to it. The subscription
    is locked before the invoice, as closing does. The number is taken last, because its series stays
    locked until the commit.
    """
    # Without a join: a version that changes while this waits would make the row vanish.
    subscription = Subscription.objects.select_for_update().get(pk=invoice.subscription_id)
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if not invoice.is_draft:
        raise Refused(
            "not_a_draft", f"Invoice {invoice.number} is {invoice.get_status_display().lower()} already."
        )
    refuse_out_of_order(invoice)
    computed = compute_invoice(subscription=subscription, period=invoice.period, as_of=now, kind=invoice.kind)
    write_lines(invoice=invoice, computed=computed, now=now)

    settings = billing_settings()
    customer = subscription.customer
    invoice.status = Invoice.Status.OPEN
    invoice.finalized_at = now
    invoice.due_on = now.astimezone(ZoneInfo(customer.time_zone)).date() + timedelta(
        days=settings.payment_due_days
    )
    invoice.seller_name = settings.legal_name
    invoice.seller_address = settings.address
    invoice.seller_tax_id = settings.tax_id
    invoice.customer_name = customer.name
    invoice.customer_address = "\n".join(customer.address_lines)
    invoice.customer_tax_id = customer.tax_id
    invoice.number = f"{settings.number_prefix}-{now.year}-{take_number(now.year):06d}"
    invoice.save()
    record(
        action="invoice.finalized",
        target=invoice,
        changes={"number": invoice.number, "total": str(invoice.total), "currency": invoice.currency},
    )
    return invoice


def refuse_out_of_order(invoice: Invoice) -> None:
    """Late usage of a period is looked for only once it is finalized, so periods are finalized in their order.

    The opening comes before all of them: the first period credits what is unused of the fees billed there.
    """
    is_earlier = Q(period_end__lte=invoice.period_start)
    if invoice.kind == Invoice.Kind.CYCLE:
        is_earlier |= Q(kind=Invoice.Kind.OPENING)
    earlier = drafts().filter(is_earlier, subscription_id=invoice.subscription_id).first()
    if earlier is not None:
        raise Refused(
            "earlier_draft",
            f"The draft for the period until {earlier.period_end.date()} comes first; finalize it before this one.",
        )


def take_number(year: int) -> int:
    """The next number of the year's series. A rollback gives it back; others wait until then."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO invoices_invoiceseries AS series (year, last_number) VALUES (%s, 1)"
            " ON CONFLICT (year) DO UPDATE SET last_number = series.last_number + 1 RETURNING last_number",
            [year],
        )
        return int(cursor.fetchone()[0])
