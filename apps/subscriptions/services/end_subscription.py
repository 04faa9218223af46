"""The billing cursor has reached the end: the subscription is over."""

from apps.audit.services.record import record
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.rewrite import cut_off


def end_subscription(subscription: Subscription) -> None:
    """Mark a locked subscription as ended, and cut its phases and add-ons there.

    Called by whoever has billed the last period.
    """
    ends_at = subscription.ends_at
    assert ends_at is not None
    subscription.phases.filter(starts_at__gte=ends_at, starts_at__gt=subscription.started_at).delete()
    subscription.phases.filter(ends_at__isnull=True, starts_at__lt=ends_at).update(ends_at=ends_at)
    subscription.phases.filter(ends_at__gt=ends_at, starts_at__lt=ends_at).update(ends_at=ends_at)
    cut_off(subscription.add_ons.all(), ends_at)
    subscription.status = Subscription.Status.ENDED
    subscription.invoiced_until = subscription.next_boundary_at = ends_at
    subscription.opening_due_at = None
    subscription.save(update_fields=["status", "invoiced_until", "next_boundary_at", "opening_due_at"])
    record(action="subscription.ended", target=subscription, changes={"ends_at": ends_at.isoformat()})
