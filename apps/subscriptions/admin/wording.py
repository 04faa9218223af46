"""How a subscription reads on pages."""

from apps.core.admin.display import NOTHING, period_text
from apps.subscriptions.models import Subscription


def open_period_text(subscription: Subscription) -> str:
    """What is not billed yet; nothing once it has ended."""
    if subscription.status != Subscription.Status.ACTIVE:
        return NOTHING
    period = subscription.open_period
    return period_text(period.start, period.end, subscription.time_zone)
