"""What every verb on a draft does: hold its rows, compute it again, and see which brakes it trips."""

from dataclasses import dataclass
from datetime import datetime

from apps.core.errors import Invalid, Refused
from apps.invoices.brakes import tripped_by
from apps.invoices.models import Invoice, ParkReason
from apps.invoices.selectors import billing_settings
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.draft_lines import write_lines
from apps.invoices.waiting import unreleased
from apps.subscriptions.models import Subscription

MAX_REASON = 2_000


@dataclass(frozen=True, slots=True)
class Held:
    """An invoice and its subscription, locked in this order until the commit, as closing a period does."""

    invoice: Invoice
    subscription: Subscription


def hold(invoice: Invoice) -> Held:
    # Without joins: a version that changes while this waits would make the row vanish.
    subscription = Subscription.objects.select_for_update().get(pk=invoice.subscription_id)
    return Held(Invoice.objects.select_for_update().get(pk=invoice.pk), subscription)


def hold_draft(invoice: Invoice) -> Held:
    """Raises `Refused` not_a_draft."""
    held = hold(invoice)
    if not held.invoice.is_draft:
        raise Refused(
            "not_a_draft", f"Invoice {held.invoice} is {held.invoice.get_status_display().lower()} already."
        )
    return held


def write_anew(held: Held, now: datetime) -> list[ParkReason]:
    """Compute the draft again and note the brakes it trips. Returns the reasons that nobody has released."""
    computed = compute_invoice(
        subscription=held.subscription, period=held.invoice.period, as_of=now, kind=held.invoice.kind
    )
    write_lines(invoice=held.invoice, computed=computed, now=now)
    return note_brakes(held.invoice, now)


def note_brakes(invoice: Invoice, now: datetime) -> list[ParkReason]:
    """Keep what was released, update what still holds, forget what holds no longer."""
    known = {reason.brake: reason for reason in invoice.park_reasons.all()}
    tripped = tripped_by(invoice, billing_settings())
    invoice.park_reasons.filter(released_at__isnull=True).exclude(
        brake__in=[one.brake for one in tripped]
    ).delete()
    for one in tripped:
        reason = known.get(one.brake) or ParkReason(invoice=invoice, brake=one.brake, found_at=now)
        reason.words, reason.measure = one.words, one.measure
        if reason.released_measure is not None and one.measure > reason.released_measure:
            # Worse than what was released: a new reason.
            reason.found_at, reason.released_at = now, None
            reason.released_measure, reason.release_reason = None, ""
        reason.save()
    holding = list(unreleased(invoice))
    parked_at = (invoice.parked_at or now) if holding else None
    if parked_at != invoice.parked_at:
        invoice.parked_at = parked_at
        invoice.save(update_fields=["parked_at"])
    return holding


def given_reason(reason: str) -> str:
    """Raises `Invalid` reason_missing, reason_too_long."""
    text = reason.strip()
    if not text:
        raise Invalid("reason_missing", "Say why.", param="/reason")
    if len(text) > MAX_REASON:
        raise Invalid("reason_too_long", f"At most {MAX_REASON:,} characters.", param="/reason")
    return text
