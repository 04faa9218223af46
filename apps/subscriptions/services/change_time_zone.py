"""Another time zone, from the open period on, without a hole, an overlap or a period of a few hours."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Invalid, Refused
from apps.core.validators import validate_time_zone
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period, Schedule
from apps.subscriptions.services import rewrite
from apps.subscriptions.services.add_ons import move_edges
from apps.subscriptions.services.rewrite import Piece
from apps.subscriptions.services.when import refuse_ended
from apps.subscriptions.timeline import Era, Timeline


@transaction.atomic
def change_time_zone(
    *, subscription: Subscription, time_zone: str, now: datetime, reason: str = ""
) -> Subscription:
    """The open period ends at the boundary of the new zone that is nearest to its old end, and counts as whole.

    So does its fee period. What was to come at an old boundary, a change, an add-on or an end, comes at the nearest
    new one.
    Raises `Invalid` invalid_time_zone; `Refused` same_time_zone, subscription_ended, meter_billed_elsewhere.
    """
    try:
        validate_time_zone(time_zone)
    except ValidationError as error:
        raise Invalid("invalid_time_zone", error.messages[0], param="/time_zone") from error
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    old = subscription.time_zone
    if old == time_zone:
        raise Refused("same_time_zone", f"Its time zone is {old} already.", param="/time_zone")
    timeline = subscription.timeline()
    cursor = subscription.invoiced_until
    pieces = moved_pieces(subscription, timeline, ZoneInfo(old), ZoneInfo(time_zone))
    mover = Mover(timeline, ZoneInfo(old), ZoneInfo(time_zone))
    move_edges(subscription, mover.moved)
    if subscription.ends_at is not None:
        subscription.ends_at = mover.moved(subscription.ends_at)
    subscription.phases.filter(starts_at__lt=cursor, time_zone="").update(time_zone=old)
    subscription.time_zone = time_zone
    subscription.save(update_fields=["time_zone", "ends_at"])
    rewrite.write(subscription, cursor, pieces, before=timeline)
    record(
        action="subscription.time_zone_changed",
        target=subscription,
        reason=reason,
        changes={"time_zone": [old, time_zone]},
    )
    return subscription


class Mover:
    """Takes instants of schedules in one zone to the nearest ones in another."""

    def __init__(self, timeline: Timeline, old: ZoneInfo, new: ZoneInfo) -> None:
        self.timeline, self.old, self.new = timeline, old, new

    def wall(self, instant: datetime) -> datetime:
        """The instant of the same local time in the new zone."""
        local = instant.astimezone(self.old)
        return local.replace(tzinfo=self.new, fold=0).astimezone(UTC)

    def schedules(self, instant: datetime) -> tuple[Schedule, Schedule]:
        """Those of fees and of usage in the new zone, of the era at `instant`."""
        basis = self.timeline.stage_at(instant).basis
        fees = self.timeline.schedule(
            replace(basis, anchored_at=self.wall(basis.anchored_at), time_zone=self.new)
        )
        return fees, replace(fees, interval=basis.usage)

    def moved(self, instant: datetime) -> datetime:
        """An instant at an old boundary, at the nearest new one; any other stays."""
        # A boundary ends the schedule before it.
        era = self.timeline.era_at(instant - rewrite.MICROSECOND)
        if natural_end(era, instant - rewrite.MICROSECOND) != instant:
            return instant
        return self.schedules(instant - rewrite.MICROSECOND)[1].nearest_boundary(instant)


def natural_end(era: Era, instant: datetime) -> datetime:
    """Where the cycle ends by its schedule, whatever may cut it."""
    if era.moved.cycle_end is not None and instant < era.moved.cycle_end:
        return era.moved.cycle_end
    return era.usage.full_period_at(instant).end


def moved_pieces(subscription: Subscription, timeline: Timeline, old: ZoneInfo, new: ZoneInfo) -> list[Piece]:
    cursor = subscription.invoiced_until
    mover = Mover(timeline, old, new)
    fees, usage = mover.schedules(cursor)
    whole = timeline.fee_period_at(cursor)
    end = natural_end(timeline.era_at(cursor), cursor)
    fee_end = fees.nearest_boundary(whole.end)
    cycle_end = fee_end if end == whole.end and fee_end > cursor else usage.nearest_boundary(end)
    open_period = Period(cursor, cycle_end)
    found: list[Piece] = []
    first = timeline.era_at(cursor)
    for piece in rewrite.pieces_from(subscription, cursor):
        starts_at = piece.starts_at if piece.starts_at == cursor else mover.moved(piece.starts_at)
        if found and (passed := found[-1].ends_at) is not None:
            # A boundary moves, and may pass what begins a few hours after it, which does not.
            starts_at = max(starts_at, passed)
        ends_at = None if piece.ends_at is None else mover.moved(piece.ends_at)
        if ends_at is not None and ends_at <= starts_at:
            continue
        moved = replace(piece, starts_at=starts_at, ends_at=ends_at, time_zone="")
        if timeline.era_at(piece.starts_at).start != first.start:
            is_anchored_here = piece.anchored_at == piece.starts_at
            anchored_at = starts_at if is_anchored_here else mover.wall(piece.anchored_at or cursor)
            found.append(replace(moved, anchored_at=anchored_at))
            continue
        found.append(
            replace(
                moved,
                anchored_at=mover.wall(piece.anchored_at or subscription.started_at),
                moved_cycle_ends_at=open_period.end,
                moved_fees_start_at=whole.start,
                moved_fees_end_at=fee_end,
            )
        )
    return found
