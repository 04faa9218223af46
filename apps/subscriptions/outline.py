"""A subscription's life as it is told by the API and on its page: what was, what counts, what is to come."""

from datetime import datetime

from django.db.models import Prefetch, QuerySet

from apps.core.text import instant_text
from apps.subscriptions.models import Subscription, SubscriptionAddOn, SubscriptionPhase

PAST, CURRENT, SCHEDULED = "past", "current", "scheduled"


def with_phases(subscriptions: QuerySet[Subscription]) -> QuerySet[Subscription]:
    """With all that is told of them, in two queries more for a whole list."""
    add_ons = SubscriptionAddOn.objects.select_related("plan_version__plan")
    phases = SubscriptionPhase.objects.select_related("plan_version__plan", "plan_version__price_book")
    return subscriptions.select_related("customer", "plan_version__plan").prefetch_related(
        Prefetch("phases", queryset=phases.order_by("starts_at")),
        Prefetch("add_ons", queryset=add_ons.order_by("starts_at", "id")),
    )


def state_at(now: datetime, phase: SubscriptionPhase | SubscriptionAddOn) -> str:
    if phase.starts_at > now:
        return SCHEDULED
    return CURRENT if phase.ends_at is None or phase.ends_at > now else PAST


def phase_at(subscription: Subscription, now: datetime) -> SubscriptionPhase:
    """What counts now; before the start the first phase, after the end the last."""
    phases = list(subscription.phases.all())
    return next((one for one in reversed(phases) if one.starts_at <= now), phases[0])


def state_of(subscription: Subscription, now: datetime) -> str:
    """For people: its status, or what makes it something else than simply active."""
    if subscription.status != Subscription.Status.ACTIVE:
        return str(subscription.get_status_display())
    if subscription.ends_at is not None:
        return "Cancelled"
    treatment = phase_at(subscription, now).treatment
    if treatment == SubscriptionPhase.Treatment.PAUSED:
        return "Paused"
    return "Active" if treatment == SubscriptionPhase.Treatment.BILLED else "Trial"


def has_scheduled_change(subscription: Subscription, now: datetime) -> bool:
    """Whether another version or quantity is to come. Ends of trials and pauses are none."""
    running = phase_at(subscription, now)
    terms = running.plan_version_id, running.quantity
    return any(
        one.starts_at > now and (one.plan_version_id, one.quantity) != terms
        for one in subscription.phases.all()
    )


def has_pause(subscription: Subscription, now: datetime) -> bool:
    """Whether it is paused, or will be."""
    return any(
        one.treatment == SubscriptionPhase.Treatment.PAUSED and state_at(now, one) != PAST
        for one in subscription.phases.all()
    )


def fingerprint(subscription: Subscription) -> str:
    """Differs as soon as anything about its life differs: the phases, the end, the zone, the threshold or how far it is
    billed.
    """
    cursor = instant_text(subscription.invoiced_until)
    rest = f"{subscription.status} {subscription.unused} {subscription.billing_threshold}"
    return f"{subscription.timeline()!r} {cursor} {rest}"
