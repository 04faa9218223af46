"""Subscriptions that are due to be billed: all but those that are parked."""

from datetime import datetime

from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from apps.invoices.billed_ahead import threshold_invoices
from apps.invoices.models import BillingRun, Invoice, ParkedSubscription
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


def still_due(run: BillingRun) -> int | None:
    """How many subscriptions are left of what a run of its kind would bill until the same instant.

    None of thresholds: who has reached one is known only when all that was used is rated.
    """
    if run.kind == BillingRun.Kind.THRESHOLDS:
        return None
    due = due_to_open if run.kind == BillingRun.Kind.OPENING else due_to_close
    found = due(run.due_until_at)
    return (found if run.subscription_id is None else found.filter(pk=run.subscription_id)).count()


def due_to_look(now: datetime) -> QuerySet[Subscription]:
    """Those whose usage of the open period may have reached a threshold by now, in the order of their ids.

    While a threshold invoice of the cycle is a draft nothing new is billed: a parked one is one, and not one a minute.
    At one instant a cycle reaches its threshold once. A period that is over is closed instead.
    """
    made = threshold_invoices().filter(
        Q(status=Invoice.Status.DRAFT) | Q(period_end__gte=now),
        subscription=OuterRef("pk"),
        period_start=OuterRef("invoiced_until"),
    )
    open_now = billable().filter(
        billing_threshold__isnull=False, invoiced_until__lt=now, next_boundary_at__gt=now
    )
    return open_now.exclude(Exists(made)).order_by("id")


def next_boundary_at() -> datetime | None:
    """When the next period ends that can be billed."""
    return billable().aggregate(at=Min("next_boundary_at"))["at"]


def next_opening_at() -> datetime | None:
    """When fees at the start of a subscription are next due."""
    return billable().aggregate(at=Min("opening_due_at"))["at"]
