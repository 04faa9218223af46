"""Ask for a backfill of a meter, and call it off."""

from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit.services.record import record
from apps.catalog.models import Meter
from apps.core import request_context
from apps.core.errors import Invalid, Refused
from apps.usage.models import ArchivedPartition, MeterBackfill
from apps.usage.services.corrections import turn

Status = MeterBackfill.Status
UNFINISHED = (Status.QUEUED, Status.RUNNING)


@transaction.atomic
def request_backfill(
    *,
    meter: Meter,
    now: datetime,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    reason: str = "",
) -> MeterBackfill:
    """Queue a backfill over `[starts_at, ends_at)`, of all events without bounds. A worker picks it up.

    Raises `Refused` meter_archived, backfill_unfinished and events_archived, `Invalid` invalid_range.
    """
    if meter.archived_at is not None:
        raise Refused("meter_archived", f"{meter} is archived: it counts nothing any more.")
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise Invalid(
            "invalid_range", "The end lies after the start; it is not part of the range.", param="/end"
        )
    # Retention sees it, or it sees what is archived.
    turn.take_turn()
    refuse_archived(starts_at)
    context = request_context.current()
    try:
        with transaction.atomic():
            backfill = MeterBackfill.objects.create(
                meter=meter,
                definition_version=meter.definition_version,
                starts_at=starts_at,
                ends_at=ends_at,
                reason=reason.strip(),
                actor_kind=context.actor_kind,
                actor=context.actor,
                created_at=now,
            )
    except IntegrityError as error:
        raise Refused("backfill_unfinished", f"A backfill of {meter} is under way already.") from error
    record(action="meter_backfill.requested", target=backfill, reason=backfill.reason)
    return backfill


def refuse_archived(starts_at: datetime | None) -> None:
    """It would come to its end as if it had read everything."""
    kept_from = ArchivedPartition.events_kept_from()
    if kept_from is not None and (starts_at is None or starts_at < kept_from):
        raise Refused(
            "events_archived",
            f"Events from before {kept_from:%Y-%m-%d} were archived, and a meter can't read them any more: let the"
            f" backfill start at {kept_from.isoformat()} or later.",
            param="/start",
        )


@transaction.atomic
def cancel_backfill(*, backfill: MeterBackfill, now: datetime) -> bool:
    """Call it off. What it has read so far stays and counts; False when it had ended before."""
    cancelled = bool(
        MeterBackfill.objects.filter(pk=backfill.pk, status__in=UNFINISHED).update(
            status=Status.CANCELLED, finished_at=now
        )
    )
    if cancelled:
        record(action="meter_backfill.cancelled", target=backfill)
    return cancelled
