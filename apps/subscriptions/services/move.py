"""Move subscriptions to another version of their plan, by a new phase on their timeline."""

from datetime import datetime

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import PlanVersion
from apps.catalog.services.versions import Existing
from apps.subscriptions.models import Subscription, SubscriptionPhase


def move_subscribers(version: PlanVersion, existing: str, now: datetime) -> int:
    """Move everybody who is on an older version of the same offer: same plan, same book. Returns how many.

    Negotiated versions are nobody's older version, and theirs are not replaced by the general offer.
    """
    if version.is_negotiated:
        return 0
    older = Subscription.objects.filter(
        status=Subscription.Status.ACTIVE,
        plan_version__plan_id=version.plan_id,
        plan_version__price_book_id=version.price_book_id,
        plan_version__is_negotiated=False,
        plan_version__number__lt=version.number,
        plan_version__currency=version.currency,
    )
    moved = 0
    for subscription in older.select_for_update(of=("self",)).order_by("pk"):
        starts_at = now if existing == Existing.NOW else next_renewal(subscription, now)
        move_to_version(
            subscription=subscription, version=version, starts_at=max(starts_at, subscription.started_at)
        )
        moved += 1
    return moved


def next_renewal(subscription: Subscription, now: datetime) -> datetime:
    """When the period that is running at `now` ends. A period that is over and not billed yet stays as it was."""
    return subscription.schedule.full_period_at(max(now, subscription.invoiced_until)).end


@transaction.atomic
def move_to_version(*, subscription: Subscription, version: PlanVersion, starts_at: datetime) -> None:
    """From `starts_at` on the version counts; phases that were to begin later give way.

    Never before the billing cursor: what is billed is billed. The row is locked, as closing does.
    """
    subscription = Subscription.objects.select_for_update(of=("self",)).get(pk=subscription.pk)
    starts_at = max(starts_at, subscription.invoiced_until)
    subscription.phases.filter(starts_at__gte=starts_at).delete()
    subscription.phases.filter(ends_at__gt=starts_at).update(ends_at=starts_at)
    subscription.phases.filter(ends_at__isnull=True).update(ends_at=starts_at)
    SubscriptionPhase.objects.create(subscription=subscription, plan_version=version, starts_at=starts_at)
    if starts_at < subscription.next_boundary_at:
        subscription.plan_version = version
        subscription.save(update_fields=["plan_version"])
    record(
        action="subscription.version_changed",
        target=subscription,
        changes={"plan_version": str(version), "starts_at": starts_at.isoformat()},
    )
