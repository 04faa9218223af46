"""Void an issued invoice, and make a new one in its place from the facts as they are now."""

from datetime import datetime, timedelta

from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.invoices.dependents import in_the_way_of, resting_on
from apps.invoices.models import Invoice
from apps.invoices.selectors import billing_settings
from apps.invoices.services.draft import Held, given_reason, hold, write_anew
from apps.invoices.services.settle_invoice import OWED, change, held_in

NAMED = 5


@transaction.atomic
def void_invoice(*, invoice: Invoice, reason: str, now: datetime) -> Invoice:
    """The invoice charges nothing any more; its number stays taken. Raises `Refused` not_owed, invoices_rest_on_it.

    Its period counts as not billed until it is reissued; what a threshold invoice charged comes back on the next
    invoice of its cycle by itself. Invoices that were issued later and charged the difference to this one would
    charge it twice, or miss it: they are named, and have to be voided first, the newest first.
    """
    held = held_in(invoice, OWED, "not_owed")
    refuse(
        "invoices_rest_on_it", resting_on(held),
        "Later invoices charged the difference to this one. Void these first, in this order: {}.",
    )  # fmt: skip
    return change(held, Invoice.Status.VOID, action="invoice.voided", reason=reason, now=now)


@transaction.atomic
def reissue_invoice(*, invoice: Invoice, reason: str, now: datetime) -> Invoice:
    """A new draft for the same period, of the same kind; an invoice that is not void yet is voided first.

    Raises what voiding raises, and `Refused` threshold_not_reissued, reissued_already, period_billed,
    charge_withdrawn, fees_billed_since. The draft waits for
    its grace period like any other; it comes before younger drafts of the subscription, which are computed again
    when they are finalized.
    """
    why = given_reason(reason)
    held = hold(invoice)
    void = held.invoice
    refuse_threshold(void)
    if void.status != Invoice.Status.VOID:
        void = void_invoice(invoice=void, reason=why, now=now)
    refuse_second(void)
    refuse_withdrawn(void)
    draft = Invoice.objects.create(
        kind=void.kind,
        customer=held.subscription.customer,
        subscription=held.subscription,
        currency=void.currency,
        period_start=void.period_start,
        period_end=void.period_end,
        subtotal=0,
        total=0,
        usage_cutoff_at=now,
        finalize_due_at=now + timedelta(hours=billing_settings().draft_grace_hours),
        memo=void.memo,
        purchase_order_number=void.purchase_order_number,
        reissue_of=void,
        created_at=now,
    )
    write_anew(Held(draft, held.subscription), now)
    refuse(
        "fees_billed_since", in_the_way_of(draft),
        "Later invoices charged fees themselves that this one charges in advance. Void these first, in this order: {}.",
    )  # fmt: skip
    record(
        action="invoice.reissued",
        target=void,
        reason=why,
        changes={"draft": draft.public_id, "total": [str(void.total), str(draft.total)]},
    )
    return draft


def refuse_threshold(invoice: Invoice) -> None:
    if invoice.kind == Invoice.Kind.THRESHOLD:
        raise Refused(
            "threshold_not_reissued",
            "An invoice of a threshold is not reissued: once it is void, the next invoice of the cycle charges what"
            " it charged.",
        )


def refuse_second(void: Invoice) -> None:
    if Invoice.objects.filter(reissue_of=void).exists():
        raise Refused("reissued_already", f"Invoice {void} was reissued already.")
    same = Invoice.objects.filter(
        subscription_id=void.subscription_id, kind=void.kind, period_start=void.period_start
    ).exclude(status=Invoice.Status.VOID)
    if same.exists():
        raise Refused("period_billed", "Another invoice bills this period.")


def refuse_withdrawn(void: Invoice) -> None:
    """An invoice of a charge alone would have no line."""
    if void.kind == Invoice.Kind.ONE_OFF and void.lines.filter(one_off__withdrawn_at__isnull=False).exists():
        raise Refused("charge_withdrawn", "The charge it was for is withdrawn; there is nothing to bill.")


def refuse(code: str, invoices: list[Invoice], text: str) -> None:
    if invoices:
        names = ", ".join(str(one) for one in invoices[:NAMED])
        more = f" and {len(invoices) - NAMED} more" if len(invoices) > NAMED else ""
        raise Refused(
            code,
            text.format(names + more),
            errors=[{"param": "", "code": code, "message": str(one)} for one in invoices],
        )
