"""Reads of subscriptions."""

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.catalog.models import PlanVersion
from apps.catalog.selectors import Buyer, offered_version
from apps.core.errors import Missing
from apps.customers.models import Customer
from apps.subscriptions.models import Subscription, SubscriptionAddOn, SubscriptionPhase
from apps.subscriptions.timeline import Timeline


def active_subscriptions() -> QuerySet[Subscription]:
    return Subscription.objects.filter(status=Subscription.Status.ACTIVE)


def active_subscriptions_of(customer: Customer) -> QuerySet[Subscription]:
    return (
        active_subscriptions().filter(customer=customer).select_related("plan_version__plan").order_by("id")
    )


def version_for(*, customer: Customer, plan_code: str, storefront: str = "", region: str = "") -> PlanVersion:
    """What a plan costs this customer: their negotiated version, else what the look-up offers.

    The currency counts once the first subscription has fixed it; before that the customer's wish is tried first
    and then any. Raises `Missing` plan_version_not_found.
    """
    negotiated = (
        PlanVersion.objects.filter(
            negotiated_for__customer=customer, plan__code=plan_code, status=PlanVersion.Status.PUBLISHED
        )
        .select_related("plan")
        .order_by("-number")
        .first()
    )
    if negotiated is not None:
        return negotiated
    place = region or customer.country
    try:
        return offered_version(plan_code=plan_code, buyer=Buyer(storefront, place, customer.currency))
    except Missing:
        if Subscription.objects.filter(customer=customer).exists():
            raise
        return offered_version(plan_code=plan_code, buyer=Buyer(storefront, place))


def timelines_of(subscriptions: Iterable[Subscription]) -> dict[int, Timeline]:
    """All that their phases and add-ons say, by subscription; two queries."""
    by_id = {one.pk: one for one in subscriptions}
    phases: dict[int, list[SubscriptionPhase]] = {pk: [] for pk in by_id}
    found = SubscriptionPhase.objects.filter(subscription_id__in=by_id).select_related("plan_version")
    for phase in found.order_by("starts_at"):
        phases[phase.subscription_id].append(phase)
    add_ons: dict[int, list[SubscriptionAddOn]] = {pk: [] for pk in by_id}
    attached = SubscriptionAddOn.objects.filter(subscription_id__in=by_id).select_related("plan_version")
    for add_on in attached.order_by("plan_id", "starts_at"):
        add_ons[add_on.subscription_id].append(add_on)
    return {pk: one.timeline(phases[pk], add_ons[pk]) for pk, one in by_id.items()}
