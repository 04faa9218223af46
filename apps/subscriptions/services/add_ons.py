"""Attach add-ons to a subscription, change how many there are of one, and detach it again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import Plan, PlanVersion, Price
from apps.core.errors import Invalid, Refused
from apps.subscriptions.models import Subscription, SubscriptionAddOn
from apps.subscriptions.services import rewrite
from apps.subscriptions.services.subscribe import check_quantity, refuse_other_currency, refuse_unpublished
from apps.subscriptions.services.when import instant_of, refuse_ended
from apps.subscriptions.timeline import AddOn


@transaction.atomic
def attach_add_on(
    *,
    subscription: Subscription,
    plan_version: PlanVersion,
    when: str,
    now: datetime,
    quantity: int = 1,
    at: datetime | None = None,
    reason: str = "",
) -> Subscription:
    """From an instant on the add-on's fees are asked for beside the plan's, in the same fee periods.

    Until it is detached. Raises `Invalid` invalid_quantity, currency_mismatch, and for the time what `instant_of`
    raises; `Refused` not_an_add_on, plan_version_not_on_offer, negotiated_for_another, already_attached,
    add_on_interval, subscription_ended.
    """
    check_quantity(quantity)
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    refuse_version(subscription, plan_version)
    refuse_quantity(plan_version, quantity)
    before = subscription.timeline()
    starts_at = instant_of(subscription, before, when=when, at=at, now=now)
    later = rows_from(subscription, plan_version.plan, starts_at)
    if later:
        first = max(later[0].starts_at, starts_at)
        raise Refused(
            "already_attached",
            f"{plan_version.plan} is attached from {first.isoformat()} on; change its quantity, or detach it first.",
            param="/add_on",
        )
    SubscriptionAddOn.objects.create(
        subscription=subscription,
        plan_id=plan_version.plan_id,
        plan_version=plan_version,
        quantity=quantity,
        starts_at=starts_at,
    )
    rewrite.refresh(subscription, before=before)
    record(
        action="subscription.add_on_attached",
        target=subscription,
        reason=reason,
        changes={"add_on": str(plan_version), "quantity": quantity, "starts_at": starts_at.isoformat()},
    )
    return subscription


@transaction.atomic
def change_add_on(
    *,
    subscription: Subscription,
    plan: Plan,
    quantity: int,
    when: str,
    now: datetime,
    at: datetime | None = None,
    reason: str = "",
) -> Subscription:
    """From an instant on there are so many of it. Quantities that were to begin later give way; its end stays.

    Raises `Invalid` invalid_quantity and what `instant_of` raises; `Refused` not_attached, no_change,
    subscription_ended.
    """
    check_quantity(quantity)
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    before = subscription.timeline()
    starts_at = instant_of(subscription, before, when=when, at=at, now=now)
    rows = rows_from(subscription, plan, starts_at)
    if not rows or rows[0].starts_at > starts_at:
        raise Refused("not_attached", f"{plan} is not attached at {starts_at.isoformat()}.", param="/at")
    for row in rows:
        refuse_quantity(row.plan_version, quantity)
    if all(row.quantity == quantity for row in rows):
        raise Refused("no_change", "That is what counts already.", param="/quantity")
    pieces = [replace(one.value(), quantity=quantity) for one in rows]
    write(subscription, plan, starts_at, pieces)
    rewrite.refresh(subscription, before=before)
    record(
        action="subscription.add_on_changed",
        target=subscription,
        reason=reason,
        changes={
            "add_on": str(rows[0].plan_version),
            "quantity": [rows[0].quantity, quantity],
            "starts_at": starts_at.isoformat(),
        },
    )
    return subscription


@transaction.atomic
def detach_add_on(
    *,
    subscription: Subscription,
    plan: Plan,
    when: str,
    now: datetime,
    at: datetime | None = None,
    reason: str = "",
) -> Subscription:
    """From an instant on it is asked for no more. What was to begin later gives way, so this also takes back an
    attachment that is still to come.

    What is unused of a fee that was billed at the start comes back on the invoice of the open period; what was
    asked for once does not. Raises `Refused` not_attached, subscription_ended, and what `instant_of` raises.
    """
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    before = subscription.timeline()
    ends_at = instant_of(subscription, before, when=when, at=at, now=now)
    rows = rows_from(subscription, plan, ends_at)
    if not rows:
        raise Refused(
            "not_attached", f"{plan} is not attached at {ends_at.isoformat()} or later.", param="/at"
        )
    write(subscription, plan, ends_at, [])
    rewrite.refresh(subscription, before=before)
    record(
        action="subscription.add_on_detached",
        target=subscription,
        reason=reason,
        changes={"add_on": str(rows[0].plan_version), "ends_at": ends_at.isoformat()},
    )
    return subscription


def refuse_version(subscription: Subscription, version: PlanVersion) -> None:
    if not version.plan.is_add_on:
        raise Refused(
            "not_an_add_on",
            f"{version.plan} is a plan; subscribe the customer to it, or change the subscription to it.",
            param="/add_on",
        )
    customer = subscription.customer
    refuse_unpublished(customer, version, param="/add_on")
    refuse_other_currency(customer, version, param="/add_on")


def refuse_quantity(version: PlanVersion, quantity: int) -> None:
    """A quantity that no fee is multiplied by would be asked for in vain."""
    if quantity != 1 and not Price.objects.filter(plan_version=version, is_per_seat=True).exists():
        raise Invalid(
            "invalid_quantity",
            f"None of the fees of {version} is per seat, so a quantity would change nothing; give 1.",
            param="/quantity",
        )


def rows_from(subscription: Subscription, plan: Plan, at: datetime) -> list[SubscriptionAddOn]:
    """What counts at `at` or later, in the order of time."""
    rows = subscription.add_ons.filter(plan=plan).select_related("plan_version__plan").order_by("starts_at")
    return [one for one in rows if one.ends_at is None or one.ends_at > at]


def write(subscription: Subscription, plan: Plan, at: datetime, pieces: list[AddOn]) -> None:
    """Replace what is said of one add-on from `at` on. Never before the billing cursor: what is billed is billed."""
    assert at >= subscription.invoiced_until, "what is billed is billed"
    rewrite.cut_off(subscription.add_ons.filter(plan=plan), at)
    create(subscription, [replace(one, start=max(one.start, at)) for one in pieces])


def create(subscription: Subscription, pieces: list[AddOn]) -> None:
    """Neighbours that say the same are one row."""
    found: list[AddOn] = []
    for one in pieces:
        before = found[-1] if found else None
        if (
            before is not None
            and replace(before, start=one.start, end=one.end) == one
            and before.end == one.start
        ):
            found[-1] = replace(before, end=one.end)
        else:
            found.append(one)
    SubscriptionAddOn.objects.bulk_create(
        [
            SubscriptionAddOn(
                subscription=subscription,
                plan_id=one.plan_id,
                plan_version_id=one.version_id,
                quantity=one.quantity,
                starts_at=one.start,
                ends_at=one.end,
            )
            for one in found
        ]
    )


def move_edges(subscription: Subscription, moved: Callable[[datetime], datetime]) -> None:
    """Take what is to begin or to end after the billing cursor to another instant, as a change of zone asks for."""
    cursor = subscription.invoiced_until
    values = [one.value() for one in subscription.add_ons.select_related("plan_version")]
    open_ = [one for one in values if one.end is None or one.end > cursor]
    if not open_:
        return
    rewrite.cut_off(subscription.add_ons.all(), cursor)
    pieces: list[AddOn] = []
    for one in open_:
        start = max(one.start, cursor) if one.start <= cursor else moved(one.start)
        before = pieces[-1] if pieces and pieces[-1].plan_id == one.plan_id else None
        if before is not None and before.end is not None:
            # An end at a boundary moves, and may pass what begins a few hours after it, which does not.
            start = max(start, before.end)
        end = None if one.end is None else moved(one.end)
        if end is None or start < end:
            pieces.append(replace(one, start=start, end=end))
    create(subscription, pieces)
