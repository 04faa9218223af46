"""What becomes of the debt: paid outside of any payment provider, uncollectible, or collectible after all."""

from datetime import datetime

from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Invalid, Refused
from apps.invoices.models import Invoice
from apps.invoices.services.draft import given_reason, hold

Status, PaymentStatus = Invoice.Status, Invoice.PaymentStatus
OWED = (Status.OPEN, Status.UNCOLLECTIBLE)
MAX_REFERENCE = 120


@transaction.atomic
def mark_paid(*, invoice: Invoice, reference: str, reason: str, now: datetime) -> Invoice:
    """The whole amount came by another way, e.g. a bank transfer. Raises `Refused` not_owed, negative_total."""
    text = reference.strip()
    if not text:
        raise Invalid(
            "reference_missing", "Say which payment it was, e.g. of the bank statement.", param="/reference"
        )
    if len(text) > MAX_REFERENCE:
        raise Invalid("reference_too_long", f"At most {MAX_REFERENCE} characters.", param="/reference")
    held = held_in(invoice, OWED, "not_owed")
    if held.total < 0:
        raise Refused("negative_total", "Nothing is owed on it: it is a credit to the customer.")
    held.payment_reference = text
    return change(
        held,
        Status.PAID,
        action="invoice.paid",
        reason=reason,
        now=now,
        payment_status=PaymentStatus.PAID,
        changes={"reference": text},
    )


@transaction.atomic
def mark_uncollectible(*, invoice: Invoice, reason: str, now: datetime) -> Invoice:
    """Nobody expects it to be paid any more. It stays billed. Raises `Refused` not_open."""
    held = held_in(invoice, (Status.OPEN,), "not_open")
    return change(
        held,
        Status.UNCOLLECTIBLE,
        action="invoice.marked_uncollectible",
        reason=reason,
        now=now,
        payment_status=held.payment_status,
    )


@transaction.atomic
def take_back_uncollectible(*, invoice: Invoice, reason: str, now: datetime) -> Invoice:
    """It is open again. Raises `Refused` not_uncollectible."""
    held = held_in(invoice, (Status.UNCOLLECTIBLE,), "not_uncollectible")
    return change(
        held,
        Status.OPEN,
        action="invoice.reopened",
        reason=reason,
        now=now,
        payment_status=held.payment_status,
    )


def held_in(invoice: Invoice, states: tuple[Invoice.Status, ...], code: str) -> Invoice:
    """The invoice, locked, when it is in one of the states. Raises `Refused` with the code."""
    held = hold(invoice).invoice
    if held.status not in states:
        wanted = " or ".join(str(state.label).lower() for state in states)
        raise Refused(code, f"Invoice {held} is {held.get_status_display().lower()}, not {wanted}.")
    return held


def change(
    held: Invoice,
    status: Invoice.Status,
    *,
    action: str,
    reason: str,
    now: datetime,
    payment_status: str = PaymentStatus.UNPAID,
    changes: dict[str, str] | None = None,
) -> Invoice:
    why = given_reason(reason)
    before = held.status
    held.status, held.payment_status = status, payment_status
    held.status_reason, held.status_changed_at = why, now
    held.save(
        update_fields=[
            "status", "payment_status", "payment_reference", "status_reason", "status_changed_at",
        ]
    )  # fmt: skip
    record(
        action=action,
        target=held,
        reason=why,
        changes={
            "status": [before, str(status)],
            "total": str(held.total),
            "currency": held.currency,
            **(changes or {}),
        },
    )
    return held
