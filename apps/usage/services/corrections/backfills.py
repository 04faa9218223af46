"""Open a backfill of a range, and give it up before it counts."""

from datetime import UTC, datetime

from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Invalid, Missing, Refused
from apps.customers.models import Customer
from apps.usage.models import BackfillEvent, UsageBackfill
from apps.usage.services.corrections import turn
from apps.usage.services.corrections.facts import actor, given_reason, refuse_archived
from apps.usage.services.validate import EARLIEST

Status = UsageBackfill.Status


@transaction.atomic
def open_backfill(
    *,
    starts_at: datetime,
    ends_at: datetime,
    reason: str,
    now: datetime,
    mode: str = UsageBackfill.Mode.ADD,
    customer: Customer | None = None,
    event_name: str = "",
) -> UsageBackfill:
    """Make room for events of `[starts_at, ends_at)`, however old.

    Raises `Invalid` invalid_range and reason_required, `Refused` events_archived.
    """
    reason = given_reason(reason)
    if starts_at >= ends_at:
        raise Invalid(
            "invalid_range", "The end lies after the start; it is not part of the range.", param="/end"
        )
    if starts_at.astimezone(UTC) < EARLIEST:
        raise Invalid(
            "invalid_range", f"Nothing is taken from before {EARLIEST.isoformat()}.", param="/start"
        )
    # Retention sees it, or it sees what is archived.
    turn.take_turn()
    refuse_archived(starts_at, param="/start")
    backfill = UsageBackfill.objects.create(
        mode=mode,
        customer=customer,
        event_name=event_name,
        starts_at=starts_at,
        ends_at=ends_at,
        reason=reason,
        created_at=now,
        **actor(),
    )
    record(action="usage_backfill.opened", target=backfill, reason=reason, changes=scope_of(backfill))
    return backfill


@transaction.atomic
def discard_backfill(*, backfill: UsageBackfill, now: datetime) -> UsageBackfill:
    """Throw away what was staged; nothing of it ever counted. Raises `Refused` not_open."""
    backfill = locked(backfill)
    refuse_unless(backfill, Status.OPEN)
    BackfillEvent.objects.filter(backfill=backfill).delete()
    backfill.status = Status.DISCARDED
    backfill.ended_at = now
    backfill.save(update_fields=["status", "ended_at"])
    record(action="usage_backfill.discarded", target=backfill, changes={"staged": backfill.staged_count})
    return backfill


def backfill_by_id(public_id: str) -> UsageBackfill:
    """Raises `Missing` backfill_not_found."""
    backfill = UsageBackfill.objects.select_related("customer").filter(public_id=public_id).first()
    if backfill is None:
        raise Missing("backfill_not_found", f"There is no backfill {public_id!r}.")
    return backfill


def locked(backfill: UsageBackfill) -> UsageBackfill:
    return UsageBackfill.objects.select_for_update().get(pk=backfill.pk)


def refuse_unless(backfill: UsageBackfill, status: str) -> None:
    if backfill.status != status:
        raise Refused(f"not_{status}", f"Backfill {backfill} is {backfill.get_status_display().lower()}.")


def scope_of(backfill: UsageBackfill) -> dict[str, str]:
    """For the audit."""
    return {
        "mode": backfill.mode,
        "from": backfill.starts_at.astimezone(UTC).isoformat(),
        "until": backfill.ends_at.astimezone(UTC).isoformat(),
        "customer": backfill.customer.public_id if backfill.customer else "",
        "event": backfill.event_name,
    }
