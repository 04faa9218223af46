"""What people do with a draft before it is issued: refresh it, let it pass the brakes, write on it."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.invoices.services.draft import given_reason, hold_draft, write_anew
from apps.invoices.waiting import unreleased


@transaction.atomic
def refresh_draft(*, invoice: Invoice, now: datetime) -> Invoice:
    """Compute a draft as of now, and see again whether a brake holds it. Raises `Refused` not_a_draft."""
    held = hold_draft(invoice)
    before, was_parked = held.invoice.total, held.invoice.is_parked
    write_anew(held, now)
    if held.invoice.total != before or held.invoice.is_parked != was_parked:
        record(
            action="invoice.refreshed",
            target=held.invoice,
            changes={
                "total": [str(before), str(held.invoice.total)],
                "parked": [was_parked, held.invoice.is_parked],
            },
        )
    return held.invoice


@transaction.atomic
def release_invoice(*, invoice: Invoice, reason: str, total: Decimal, now: datetime) -> Invoice:
    """Let a parked draft pass. Raises `Refused` not_a_draft, not_parked, total_changed.

    `total` is what the person saw, so that nobody releases another amount than the one looked at. It holds for the
    reasons noted on the draft: what is found when it is finalized and is new, or worse, parks it again.
    """
    why = given_reason(reason)
    held = hold_draft(invoice).invoice
    holding = list(unreleased(held))
    if not holding:
        raise Refused("not_parked", "No brake holds this draft.")
    if held.total != total:
        raise Refused(
            "total_changed", f"The total is {held.total_text} {held.currency} by now; look at it once more.",
            param="/total",
        )  # fmt: skip
    for one in holding:
        one.released_at, one.released_measure, one.release_reason = now, one.measure, why
        one.save(update_fields=["released_at", "released_measure", "release_reason"])
    held.parked_at = None
    held.save(update_fields=["parked_at"])
    record(
        action="invoice.released",
        target=held,
        reason=why,
        changes={
            "total": str(held.total),
            "currency": held.currency,
            "reasons": {one.brake: one.words for one in holding},
        },
    )
    return held


@transaction.atomic
def describe_draft(
    *, invoice: Invoice, memo: str | None = None, purchase_order_number: str | None = None
) -> Invoice:
    """Write memo and purchase-order number on a draft: None leaves one as it is, empty leaves it to the terms.

    Raises `Refused` not_a_draft.
    """
    held = hold_draft(invoice).invoice
    texts = {"memo": memo, "purchase_order_number": purchase_order_number}
    given = {name: text.strip() for name, text in texts.items() if text is not None}
    changes = {
        name: [getattr(held, name), text] for name, text in given.items() if getattr(held, name) != text
    }
    if changes:
        for name, text in given.items():
            setattr(held, name, text)
        held.save(update_fields=list(given))
        record(action="invoice.described", target=held, changes=changes)
    return held
