"""Move subscriptions to another version of their plan, by a new phase on their timeline."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.audit.services.record import record
from apps.catalog.models import PlanVersion
from apps.catalog.services.versions import Existing
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.services import rewrite
from apps.subscriptions.services.family import lock_family
from apps.subscriptions.services.rewrite import Piece
from apps.subscriptions.services.when import counted_from
from apps.subscriptions.timeline import Timeline


def move_subscribers(version: PlanVersion, existing: str, now: datetime) -> int:
    """Move those who are on what a version replaces; returns how many. Raises `Refused` meter_billed_elsewhere.

    Who will have left the plan by then is not moved.
    """
    # Locked without a join, and then looked at anew: closing may just have changed the version of some.
    candidates = list(replaced_by(version).values_list("pk", flat=True))
    # Customers before their subscriptions, as subscribing does: which meters are billed is settled one by one.
    concerned_ids = Subscription.objects.filter(pk__in=candidates).values_list("customer_id", flat=True)
    lock_family(set(concerned_ids))
    locked = Subscription.objects.filter(pk__in=candidates).select_for_update().order_by("pk")
    moved = 0
    for subscription in replaced_by(version).filter(pk__in=[one.pk for one in locked]).order_by("pk"):
        if existing == Existing.NOW:
            starts_at = counted_from(subscription, subscription.timeline(), now, version.proration)
        else:
            starts_at = next_renewal(subscription, now)
        moved += move_to_version(
            subscription=subscription, version=version, starts_at=max(starts_at, subscription.started_at)
        )
    return moved


def replaced_by(version: PlanVersion) -> QuerySet[Subscription]:
    """A general version replaces older ones of the same plan and book; a negotiated one whatever its customer is on.

    Negotiated versions are never replaced by a general one, be they in force or still to come.
    """
    running = Subscription.objects.filter(
        status=Subscription.Status.ACTIVE,
        plan_version__plan_id=version.plan_id,
        plan_version__currency=version.currency,
    )
    if version.is_negotiated:
        return running.filter(customer__negotiated_versions__plan_version=version)
    negotiated = SubscriptionPhase.objects.filter(
        subscription=OuterRef("pk"), plan_version__is_negotiated=True, ends_at__isnull=True
    )
    return running.filter(
        ~Exists(negotiated),
        plan_version__price_book_id=version.price_book_id,
        plan_version__is_negotiated=False,
        plan_version__number__lt=version.number,
    )


def next_renewal(subscription: Subscription, now: datetime) -> datetime:
    """When what is paid at `now` ends. A period that is over and not billed yet stays as it was."""
    return subscription.timeline().renewal_at(max(now, subscription.invoiced_until))


@transaction.atomic
def move_to_version(*, subscription: Subscription, version: PlanVersion, starts_at: datetime) -> bool:
    """From `starts_at` on the version counts in place of others of its plan. Says whether that changes anything.

    A change to another plan that was to begin later stays: whoever chose it did not choose the new version instead.
    Never before the billing cursor: what is billed is billed. The row is locked, as closing does. Raises
    `Refused` meter_billed_elsewhere when another subscription bills a meter of the version.
    """
    subscription = rewrite.locked(subscription)
    starts_at = max(starts_at, subscription.invoiced_until)
    pieces = rewrite.pieces_from(subscription, starts_at)
    if not any(one.plan_version.plan_id == version.plan_id for one in pieces):
        return False
    switch(subscription, at=starts_at, version=version, quantity=None, keeps_other_plans=True)
    record(
        action="subscription.version_changed",
        target=subscription,
        changes={"plan_version": str(version), "starts_at": starts_at.isoformat()},
    )
    return True


def switch(
    subscription: Subscription,
    *,
    at: datetime,
    version: PlanVersion | None,
    quantity: int | None,
    keeps_other_plans: bool = False,
) -> Timeline:
    """Another version or number of seats from `at` on. Trials, pauses and their ends stay as they are.

    Where the version's interval is another one, a period begins at `at`, and the schedule with it.
    """

    def change(piece: Piece) -> Piece:
        stays = version is None or (keeps_other_plans and piece.plan_version.plan_id != version.plan_id)
        return replace(
            piece,
            plan_version=piece.plan_version if stays or version is None else version,
            quantity=piece.quantity if quantity is None else quantity,
        )

    former = [one for one in rewrite.pieces_from(subscription, subscription.started_at) if one.starts_at < at]
    was = rewrite.pieces_from(subscription, at)
    pieces = [change(piece) for piece in was]
    if version is not None:
        # From the very start on nothing was before but what is replaced: its periods must not outlive it.
        pieces = rewrite.reanchored(former or was[:1], pieces)
    return rewrite.write(subscription, at, pieces)
