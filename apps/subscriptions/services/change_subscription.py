"""Another plan version, another number of seats, or both; and taking such a change back before it happens."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import PlanVersion
from apps.core.errors import Invalid, Refused
from apps.subscriptions.models import Subscription
from apps.subscriptions.services import rewrite
from apps.subscriptions.services.move import switch
from apps.subscriptions.services.subscribe import check_quantity, refuse_other_currency, refuse_unoffered
from apps.subscriptions.services.when import instant_of, refuse_ended


@transaction.atomic
def change_subscription(
    *,
    subscription: Subscription,
    when: str,
    now: datetime,
    at: datetime | None = None,
    plan_version: PlanVersion | None = None,
    quantity: int | None = None,
    reason: str = "",
) -> Subscription:
    """From an instant on, another version or quantity counts, alone and for every kind of price.

    Changes that were to begin later give way; trials and pauses stay. Raises `Invalid` nothing_to_change,
    invalid_quantity, currency_mismatch, and for the time what `instant_of` raises; `Refused` is_add_on,
    plan_version_not_on_offer, negotiated_for_another, already_subscribed, meter_billed_elsewhere, add_on_interval,
    no_change, subscription_ended.
    """
    if plan_version is None and quantity is None:
        raise Invalid("nothing_to_change", "Name a plan version, a quantity, or both.", param="/plan")
    if quantity is not None:
        check_quantity(quantity)
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    before = subscription.timeline()
    if plan_version is not None:
        refuse_version(subscription, plan_version)
    proration = "" if plan_version is None else plan_version.proration
    starts_at = instant_of(subscription, before, when=when, at=at, now=now, proration=proration)
    after = switch(subscription, at=starts_at, version=plan_version, quantity=quantity)
    if after == before:
        raise Refused("no_change", "That is what counts already.")
    record(
        action="subscription.changed",
        target=subscription,
        reason=reason,
        changes={
            "starts_at": starts_at.isoformat(),
            **({} if plan_version is None else {"plan_version": str(plan_version)}),
            **({} if quantity is None else {"quantity": quantity}),
        },
    )
    return subscription


def refuse_version(subscription: Subscription, version: PlanVersion) -> None:
    customer = subscription.customer
    refuse_unoffered(customer, version)
    refuse_other_currency(customer, version, param="/plan")
    others = Subscription.objects.filter(
        customer=customer, status=Subscription.Status.ACTIVE, plan_version__plan_id=version.plan_id
    ).exclude(pk=subscription.pk)
    if others.exists():
        raise Refused(
            "already_subscribed",
            f"{customer} is on the plan {version.plan} by another subscription.",
            param="/plan",
        )


@transaction.atomic
def drop_scheduled_change(*, subscription: Subscription, now: datetime, reason: str = "") -> Subscription:
    """What counts now goes on: changes of version and quantity that are still to come are dropped.

    Ends of trials and pauses stay. Raises `Refused` nothing_scheduled, subscription_ended.
    """
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    at = max(now, subscription.invoiced_until)
    pieces = rewrite.pieces_from(subscription, at)
    first = pieces[0]
    kept = [
        replace(one, plan_version=first.plan_version, quantity=first.quantity, **rewrite.schedule_of(first))
        for one in pieces
    ]
    if rewrite.joined(kept) == rewrite.joined(pieces):
        raise Refused("nothing_scheduled", "No change is scheduled.")
    if at > subscription.started_at:
        # The phase that is running is not split at an instant at which nothing happens.
        running = subscription.phases.filter(starts_at__lte=at).order_by("-starts_at").first()
        assert running is not None
        start = max(running.starts_at, subscription.invoiced_until)
        kept[0], at = replace(kept[0], starts_at=start), start
    rewrite.write(subscription, at, kept)
    record(action="subscription.change_dropped", target=subscription, reason=reason)
    return subscription
