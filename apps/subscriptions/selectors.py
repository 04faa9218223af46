"""Reads of subscriptions."""

from datetime import datetime

from django.db.models import Min, QuerySet

from apps.customers.models import Customer
from apps.subscriptions.models import Subscription


def active_subscriptions() -> QuerySet[Subscription]:
    return Subscription.objects.filter(status=Subscription.Status.ACTIVE)


def active_subscriptions_of(customer: Customer) -> QuerySet[Subscription]:
    return (
        active_subscriptions().filter(customer=customer).select_related("plan_version__plan").order_by("id")
    )


def next_boundary_at() -> datetime | None:
    """When the next period of any active subscription ends."""
    return active_subscriptions().aggregate(at=Min("next_boundary_at"))["at"]
