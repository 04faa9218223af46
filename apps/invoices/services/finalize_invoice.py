"""Finalize a draft: read its usage a last time, heed the brakes, freeze the parties, take the number."""

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.core.locks import is_deadlock
from apps.invoices.models import BillingSettings, Invoice, LegalEntity, ParkReason
from apps.invoices.parties import Parties, parties_of
from apps.invoices.selectors import billing_settings
from apps.invoices.services.close_periods import is_passing
from apps.invoices.services.draft import hold_draft, write_anew
from apps.invoices.services.park_draft import park_draft
from apps.invoices.services.park_subscription import words_of
from apps.invoices.waiting import due_drafts, earlier_draft_of

log = logging.getLogger(__name__)

NEXT_NUMBER = """
WITH entity AS (SELECT id, number_prefix FROM invoices_legalentity WHERE id = %s FOR KEY SHARE),
     taken AS (
         INSERT INTO invoices_invoiceseries AS series (legal_entity_id, year, last_number)
         SELECT id, %s, 1 FROM entity
         ON CONFLICT (legal_entity_id, year) DO UPDATE SET last_number = series.last_number + 1
         RETURNING last_number)
SELECT number_prefix, last_number FROM entity, taken
"""


def finalize_due_invoices(now: datetime) -> int:
    """Finalize every draft whose grace period has ended, oldest period first. Returns how many.

    A draft that trips a brake, or can't be computed, is parked until a person releases it; the others go on.
    """
    finalized = 0
    for invoice in due_drafts(now):
        try:
            finalize_or_park(invoice=invoice, now=now)
        except Refused as refused:
            # It is parked, another worker or a person was faster, or an earlier draft of the subscription waits.
            log.info("invoice %s is left alone: %s", invoice.public_id, refused.message)
            continue
        finalized += 1
    return finalized


def finalize_or_park(*, invoice: Invoice, now: datetime) -> Invoice:
    """Issue `invoice`; what can't be finalized is set aside with the reason, so that others after it can go on.

    Raises what finalizing raises, and `Refused` failed, or busy where two stood in each other's way. An error of a
    database that is away goes through.
    """
    try:
        return finalize_invoice(invoice=invoice, now=now)
    except Refused:
        raise
    except Exception as error:
        if is_deadlock(error):
            raise Refused("busy", "Somebody else is at work on it; try again in a moment.") from error
        if is_passing(error):
            raise
        log.exception("invoice %s can't be finalized", invoice.public_id)
        park_draft(invoice=invoice, error=error, now=now)
        raise Refused("failed", f"It can't be finalized, and is parked: {words_of(error)[1]}") from error


def finalize_invoice(*, invoice: Invoice, now: datetime) -> Invoice:
    """Issue `invoice`. Raises `Refused` not_a_draft, earlier_draft, and parked when a brake holds it.

    The lines are computed again: events that came during the grace period belong to it. What was found on a draft
    that is parked is kept, so that a person can look at it.
    """
    with transaction.atomic():
        issued, holding = try_to_issue(invoice, now)
    if holding:
        raise Refused(
            "parked",
            "It is held until somebody releases it: " + " ".join(reason.words for reason in holding),
            errors=[{"param": "", "code": reason.brake, "message": reason.words} for reason in holding],
        )
    return issued


def try_to_issue(invoice: Invoice, now: datetime) -> tuple[Invoice, list[ParkReason]]:
    """The subscription is locked before the invoice, as closing does. The number is taken last, because its
    series stays locked until the commit.
    """
    held = hold_draft(invoice)
    invoice, settings = held.invoice, billing_settings()
    refuse_out_of_order(invoice)
    holding = write_anew(held, now)
    if holding:
        return invoice, holding
    customer = held.subscription.customer
    parties = parties_of(invoice, customer)
    freeze(invoice, parties)
    invoice.finalized_at = now
    if is_nothing_owed(invoice, settings):
        invoice.status, invoice.payment_status = Invoice.Status.PAID, Invoice.PaymentStatus.NOTHING_OWED
        invoice.status_changed_at = now
        invoice.save()
        record(action="invoice.nothing_owed", target=invoice)
        return invoice, []
    invoice.status = Invoice.Status.OPEN
    local_day = now.astimezone(ZoneInfo(customer.time_zone)).date()
    invoice.due_on = local_day + timedelta(days=parties.payment_due_days)
    invoice.number = next_number(parties.legal_entity, year_of(now, parties.legal_entity))
    invoice.save()
    record(
        action="invoice.finalized",
        target=invoice,
        changes={"number": invoice.number, "total": str(invoice.total), "currency": invoice.currency},
    )
    return invoice, []


def refuse_out_of_order(invoice: Invoice) -> None:
    """Late usage of a period is looked for only once it is finalized, so periods are finalized in their order.

    The opening comes before all of them: the first period credits what is unused of the fees billed there.
    """
    earlier = earlier_draft_of(invoice)
    if earlier is not None:
        raise Refused(
            "earlier_draft",
            f"The draft for the period until {earlier.period_end.date()} comes first; finalize it before this one.",
        )


def is_nothing_owed(invoice: Invoice, settings: BillingSettings) -> bool:
    """A charge and a credit that add up to zero are worth a document; nothing at all may not be."""
    if settings.zero_invoices != BillingSettings.ZeroInvoices.NOTHING_OWED:
        return False
    return not invoice.lines.exclude(amount=0).exists()


def freeze(invoice: Invoice, parties: Parties) -> None:
    for name in (
        "legal_entity", "seller_name", "seller_address", "seller_tax_id",
        "customer_name", "customer_address", "customer_tax_id", "memo", "purchase_order_number",
    ):  # fmt: skip
        setattr(invoice, name, getattr(parties, name))


def year_of(instant: datetime, entity: LegalEntity) -> int:
    """The year of the entity's own calendar: its books close at its midnight."""
    return instant.astimezone(ZoneInfo(entity.time_zone)).year


def next_number(entity: LegalEntity, year: int) -> str:
    """The next of the entity's numbers of the year. A rollback gives it back; others wait until then.

    Its row is held against a change of the prefix, and the prefix is read as it is then.
    """
    with connection.cursor() as cursor:
        cursor.execute(NEXT_NUMBER, [entity.pk, year])
        prefix, number = cursor.fetchone()
    return f"{prefix}-{year}-{number:06d}"
