"""Write a timeline anew from an instant on: the one place where phases change."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from apps.catalog.models import PlanVersion, Price
from apps.core.errors import Refused
from apps.subscriptions.attached import counting_at, misfits
from apps.subscriptions.models import Subscription, SubscriptionAddOn, SubscriptionPhase, intervals_of
from apps.subscriptions.services.double_billing import refuse_double_billing
from apps.subscriptions.services.family import lock_family
from apps.subscriptions.timeline import Timeline

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A phase before it is stored."""

    starts_at: datetime
    ends_at: datetime | None
    plan_version: PlanVersion
    quantity: int
    treatment: str
    resumes_as: str = ""
    anchored_at: datetime | None = None
    time_zone: str = ""
    moved_cycle_ends_at: datetime | None = None
    moved_fees_start_at: datetime | None = None
    moved_fees_end_at: datetime | None = None

    def terms(self) -> tuple[object, ...]:
        """All but the time, to compare."""
        return tuple(getattr(self, name) for name in FIELDS)

    def anchored(self, at: datetime) -> "Piece":
        """With a schedule that begins anew."""
        return replace(
            self,
            anchored_at=at,
            moved_cycle_ends_at=None,
            moved_fees_start_at=None,
            moved_fees_end_at=None,
        )


SCHEDULE = (
    "anchored_at", "time_zone", "moved_cycle_ends_at", "moved_fees_start_at", "moved_fees_end_at",
)  # fmt: skip
FIELDS = ("plan_version", "quantity", "treatment", "resumes_as", *SCHEDULE)


def locked(subscription: Subscription) -> Subscription:
    """The row, locked without a join; the customer before it, as subscribing does."""
    lock_family([subscription.customer_id])
    return Subscription.objects.select_for_update().get(pk=subscription.pk)


def pieces_from(subscription: Subscription, at: datetime) -> list[Piece]:
    """What the timeline says from `at` on."""
    phases = subscription.phases.select_related("plan_version").order_by("starts_at")
    return [
        Piece(max(phase.starts_at, at), phase.ends_at, **{name: getattr(phase, name) for name in FIELDS})
        for phase in phases
        if phase.ends_at is None or phase.ends_at > at
    ]


def cut_at(pieces: list[Piece], at: datetime) -> list[Piece]:
    """The same, with a boundary at `at`."""
    found = []
    for piece in pieces:
        if piece.starts_at < at and (piece.ends_at is None or at < piece.ends_at):
            found += [replace(piece, ends_at=at), replace(piece, starts_at=at)]
        else:
            found.append(piece)
    return found


def changed(pieces: list[Piece], at: datetime, change: Callable[[Piece], Piece]) -> list[Piece]:
    """Pieces from `at` on are changed, those before are not."""
    return [change(piece) if piece.starts_at >= at else piece for piece in cut_at(pieces, at)]


def joined(pieces: list[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].terms() == piece.terms():
            found[-1] = replace(found[-1], ends_at=piece.ends_at)
        else:
            found.append(piece)
    return found


def schedule_of(piece: Piece) -> dict[str, Any]:
    return {name: getattr(piece, name) for name in SCHEDULE}


def reanchored(former: list[Piece], pieces: list[Piece]) -> list[Piece]:
    """Where the interval changes a new schedule begins; what follows with the same interval belongs to it."""
    found: list[Piece] = []
    before = former[-1] if former else None
    for piece in pieces:
        if before is None:
            before = piece
        elif intervals_of(before.plan_version) != intervals_of(piece.plan_version):
            before = piece.anchored(piece.starts_at)
        else:
            before = replace(piece, **schedule_of(before))
        found.append(before)
    return found


def write(
    subscription: Subscription, at: datetime, pieces: list[Piece], *, before: Timeline | None = None
) -> Timeline:
    """Replace what the timeline says from `at` on, and bring the open period and the opening in line with it.

    Inside a transaction that holds the rows. Never before the billing cursor: what is billed is billed. `before` is
    what it said, where the row is changed already.
    """
    assert at >= subscription.invoiced_until, "what is billed is billed"
    before = before or subscription.timeline()
    subscription.phases.filter(starts_at__gte=at).delete()
    subscription.phases.filter(starts_at__lt=at, ends_at__isnull=True).update(ends_at=at)
    subscription.phases.filter(starts_at__lt=at, ends_at__gt=at).update(ends_at=at)
    SubscriptionPhase.objects.bulk_create(
        [
            SubscriptionPhase(
                subscription=subscription,
                starts_at=piece.starts_at,
                ends_at=piece.ends_at,
                **{name: getattr(piece, name) for name in FIELDS},
            )
            for piece in joined(pieces)
        ]
    )
    return refresh(subscription, before=before)


def cut_off(rows: QuerySet[SubscriptionAddOn], at: datetime) -> None:
    """Let these add-ons end at `at`; what was to begin then or later never does."""
    rows.filter(starts_at__gte=at).delete()
    rows.filter(starts_at__lt=at, ends_at__isnull=True).update(ends_at=at)
    rows.filter(starts_at__lt=at, ends_at__gt=at).update(ends_at=at)


def refresh(subscription: Subscription, *, before: Timeline) -> Timeline:
    """The open period, its version, and when the opening is due, as the timeline now says.

    Raises `Refused` already_subscribed, meter_billed_elsewhere when it says more than `before` and another
    subscription has that time; add_on_interval when an add-on would be attached to fees of another interval.
    """
    timeline = subscription.timeline()
    cursor = subscription.invoiced_until
    refuse_misfits(timeline, cursor)
    subscription.next_boundary_at = timeline.cycle_at(cursor).end
    # The latest version that counts in the open period.
    last = timeline.stage_at(subscription.next_boundary_at - MICROSECOND)
    subscription.plan_version_id = last.version_id
    if not has_opened(subscription, before):
        opens_at = timeline.opens_at
        is_due = opens_at is not None and has_opening_fees_of(versions_at(timeline, opens_at))
        subscription.opening_due_at = opens_at if is_due else None
    subscription.save(update_fields=["next_boundary_at", "plan_version", "opening_due_at"])
    refuse_double_billing(subscription, before=before, after=timeline)
    return timeline


def has_opened(subscription: Subscription, timeline: Timeline) -> bool:
    """Whether the opening is billed, or was over without anything to bill."""
    if subscription.opened_at is not None:
        return True
    if subscription.opening_due_at is not None:
        return False
    # What is before the cursor changes no more.
    return timeline.opens_at is not None and timeline.opens_at < subscription.invoiced_until


def versions_at(timeline: Timeline, instant: datetime) -> set[int]:
    """The plan's and those of the add-ons."""
    attached = {one.version_id for one in counting_at(timeline, instant)}
    return {timeline.stage_at(instant).version_id, *attached}


def has_opening_fees_of(version_ids: set[int]) -> bool:
    prices = Price.objects.filter(plan_version_id__in=version_ids)
    return prices.exclude(billing_timing=Price.Timing.ARREARS).exists()


def refuse_misfits(timeline: Timeline, since: datetime) -> None:
    """A fee for a month would be asked for once a year, or the other way around."""
    found = sorted({one.version_id for one in misfits(timeline, since)})
    if found:
        names = ", ".join(
            f"{one} (for {one.interval_count} {one.interval_unit})"
            for one in PlanVersion.objects.filter(pk__in=found).select_related("plan").order_by("pk")
        )
        raise Refused(
            "add_on_interval",
            f"The fees of the plan are for another interval than those of {names}; detach it first, or choose an "
            "add-on with fees for the interval of the plan.",
            param="/add_on",
        )
