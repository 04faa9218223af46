"""Set a draft aside that can't be finalized, with the reason, so that people see it and the others go on."""

from datetime import datetime

from django.db import transaction

from apps.audit.services.record import record
from apps.invoices.models import Invoice, ParkReason
from apps.invoices.models.park_reason import MAX_WORDS
from apps.invoices.services.draft import hold
from apps.invoices.services.park_subscription import words_of


@transaction.atomic
def park_draft(*, invoice: Invoice, error: Exception, now: datetime) -> None:
    """Note why; in a transaction of its own, when that of the failure is rolled back.

    Refreshed, it goes on by itself once it can be computed. Released, it is tried again, and parked again when it
    fails: a failure counts as worse than the one before.
    """
    held = hold(invoice).invoice
    if not held.is_draft:
        return
    code, message = words_of(error)
    reason = held.park_reasons.filter(brake=ParkReason.Brake.FAILED).first()
    reason = reason or ParkReason(invoice=held, brake=ParkReason.Brake.FAILED, measure=0)
    reason.words, reason.measure = f"It can't be finalized: {message}"[:MAX_WORDS], reason.measure + 1
    reason.found_at, reason.released_at = now, None
    reason.released_measure, reason.release_reason = None, ""
    reason.save()
    held.parked_at = held.parked_at or now
    held.save(update_fields=["parked_at"])
    record(action="invoice.parked", target=held, changes={"code": code, "message": message})
