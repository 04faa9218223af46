"""Subscriptions that are due to be billed: all but those that are parked."""

from datetime import datetime

from django.db.models import Exists, Min, OuterRef, QuerySet

from apps.invoices.models import BillingRun, ParkedSubscription
from apps.subscriptions.models import Subscription
from apps.subscriptions.selectors import active_subscriptions


def parked_subscriptions() -> QuerySet[ParkedSubscription]:
    """Those that nobody has released yet."""
    return ParkedSubscription.objects.filter(released_at__isnull=True)


def billable() -> QuerySet[Subscription]:
    return active_subscriptions().exclude(Exists(parked_subscriptions().filter(subscription=OuterRef("pk"))))


def due_to_close(now: datetime) -> QuerySet[Subscription]:
    """Those whose open period has ended, the one that ended first before the others."""
    return billable().filter(next_boundary_at__lte=now).order_by("next_boundary_at", "id")


def due_to_open(now: datetime) -> QuerySet[Subscription]:
    """Those whose set-up fees and fees at the start are due."""
    return billable().filter(opening_due_at__lte=now).order_by("opening_due_at", "id")


def still_due(run: BillingRun) -> int:
    """How many subscriptions are left of what a run of its kind would bill until the same instant."""
    due = due_to_open if run.kind == BillingRun.Kind.OPENING else due_to_close
    found = due(run.due_until_at)
    return (found if run.subscription_id is None else found.filter(pk=run.subscription_id)).count()


def next_boundary_at() -> datetime | None:
    """When the next period ends that can be billed."""
    return billable().aggregate(at=Min("next_boundary_at"))["at"]


def next_opening_at() -> datetime | None:
    """When fees at the start of a subscription are next due."""
    return billable().aggregate(at=Min("opening_due_at"))["at"]
