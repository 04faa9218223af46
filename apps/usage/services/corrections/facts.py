"""Write down a correction: the fact, the audit entry, and what is voided by it."""

from datetime import datetime
from typing import Any

from django.db import connection

from apps.audit.services.record import record
from apps.core import request_context
from apps.core.errors import Invalid, Refused
from apps.usage.models import ArchivedPartition, UsageBackfill, UsageCorrection, VoidedEvent
from apps.usage.standing import Standing

Kind = UsageCorrection.Kind

RESTORE = "DELETE FROM usage_voidedevent WHERE correction_id = %s"


def given_reason(reason: str) -> str:
    """Raises `Invalid` reason_required."""
    reason = reason.strip()
    if not reason:
        raise Invalid(
            "reason_required", "Say why: a correction without a reason is refused.", param="/reason"
        )
    return reason


def refuse_archived(instant: datetime, *, param: str = "") -> None:
    """Where events were archived and dropped only totals are left, and hours can't be read anew.

    What a turn has let pass stays true until its end: retention takes turns as well. Raises `Refused` events_archived.
    """
    kept_from = ArchivedPartition.events_kept_from()
    if kept_from is not None and instant < kept_from:
        raise Refused(
            "events_archived",
            f"Events from before {kept_from:%Y-%m-%d} were archived; what counted then can't be corrected any more.",
            param=param,
        )


def correct_event(
    *, kind: str, standing: Standing, reason: str, now: datetime, changes: dict[str, Any]
) -> UsageCorrection:
    """The fact about one event, which is voided by it."""
    event = standing.event
    correction = UsageCorrection.objects.create(
        kind=kind,
        key=standing.key,
        source=event.source,
        event_id=event.event_id,
        customer_id=event.customer_id,
        timestamp=event.timestamp,
        changes=changes,
        reason=reason,
        created_at=now,
        **actor(),
    )
    VoidedEvent.objects.create(
        customer_id=event.customer_id,
        timestamp=event.timestamp,
        event_id=event.event_id,
        shape_id=event.shape_id,
        key=standing.key,
        voided_at=now,
        correction=correction,
    )
    action = "usage_event.voided" if kind == Kind.VOID else "usage_event.amended"
    record(action=action, target=correction, reason=reason, changes=changes)
    return correction


def correct_range(
    *, kind: str, backfill: UsageBackfill, reason: str, now: datetime, changes: dict[str, Any]
) -> UsageCorrection:
    """The fact about a range of events. What is voided by it is the caller's to write."""
    correction = UsageCorrection.objects.create(
        kind=kind,
        backfill=backfill,
        customer_id=backfill.customer_id,
        changes=changes,
        reason=reason,
        created_at=now,
        **actor(),
    )
    verb = "closed" if kind == Kind.BACKFILL_CLOSED else "reverted"
    record(action=f"usage_backfill.{verb}", target=backfill, reason=reason, changes=changes)
    return correction


def restore_voided_by(correction: UsageCorrection) -> int:
    """Let the events count again that this correction voided. Totals are the caller's."""
    with connection.cursor() as cursor:
        cursor.execute(RESTORE, [correction.pk])
        return int(cursor.rowcount)


def actor() -> dict[str, str]:
    context = request_context.current()
    return {"actor_kind": context.actor_kind, "actor": context.actor}
