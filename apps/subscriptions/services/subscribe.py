"""Put a customer on a plan version."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import models, transaction

from apps.audit.services.record import record
from apps.catalog.models import PlanVersion, Price
from apps.catalog.models.plan import MAX_TRIAL_DAYS
from apps.core.errors import Invalid, Refused
from apps.core.money import money_text
from apps.customers.models import Customer
from apps.subscriptions.models import NegotiatedVersion, Subscription, SubscriptionPhase
from apps.subscriptions.periods import local_midnight
from apps.subscriptions.services.double_billing import refuse_double_billing
from apps.subscriptions.services.family import lock_family
from apps.subscriptions.services.threshold import check_threshold

# Each month since the start becomes an invoice at once; a slip of the keyboard must not make a thousand.
MAX_BACKDATING = timedelta(days=5 * 366)
MAX_QUANTITY = 1_000_000


class TrialEnd(models.TextChoices):
    """What follows a trial."""

    CONTINUE = "continue", "The subscription goes on and is billed"
    CANCEL = "cancel", "It ends, unless it is reactivated before"


@transaction.atomic
def subscribe(
    *,
    customer: Customer,
    plan_version: PlanVersion,
    started_at: datetime,
    now: datetime,
    billing_anchor: str = Subscription.Anchor.CALENDAR,
    billing_day: int | None = None,
    quantity: int = 1,
    trial_days: int | None = None,
    trial_covers: str | None = None,
    trial_end: str = TrialEnd.CONTINUE,
    billing_threshold: Decimal | None = None,
    reason: str = "",
) -> Subscription:
    """Start at `started_at`, which may lie in the past: the close job then bills the past periods, oldest first.

    The first subscription fixes the customer's currency. A trial is the version's unless given here; what is due at
    the start is then due when the trial is over. Raises `Invalid` started_too_early, currency_mismatch,
    invalid_quantity, invalid_billing_day, invalid_trial, invalid_threshold; `Refused` is_add_on,
    plan_version_not_on_offer, negotiated_for_another, already_subscribed, meter_billed_elsewhere,
    meter_billed_in_family. The customer's row is locked, so that two callers can't both find the plan free.
    """
    if started_at < now - MAX_BACKDATING:
        raise Invalid(
            "started_too_early", "A subscription starts at most five years ago.", param="/started_at"
        )
    check_quantity(quantity)
    check_day(billing_anchor, billing_day)
    check_threshold(billing_threshold, plan_version.currency, param="/billing_threshold")
    lock_family([customer.pk])
    customer = Customer.objects.get(pk=customer.pk)
    refuse_unoffered(customer, plan_version)
    fix_currency(customer, plan_version)
    subscription = Subscription(
        customer=customer,
        plan_version=plan_version,
        billing_anchor=billing_anchor,
        billing_day=billing_day,
        time_zone=customer.time_zone,
        started_at=started_at,
        invoiced_until=started_at,
        billing_threshold=billing_threshold,
    )
    trial_ends_at = end_of_trial(subscription, trial_days)
    phases = first_phases(subscription, quantity=quantity, trial_ends_at=trial_ends_at, covers=trial_covers)
    if trial_ends_at is not None and trial_end == TrialEnd.CANCEL:
        subscription.ends_at, subscription.canceled_at = trial_ends_at, now
        subscription.unused = Subscription.Unused.NOTHING
        subscription.cancellation_reason = "The trial ends."
    timeline = subscription.timeline(phases)
    refuse_double_billing(subscription, before=None, after=timeline, param="/plan")
    subscription.next_boundary_at = timeline.cycle_at(started_at).end
    subscription.opening_due_at = timeline.opens_at if has_opening_fees(plan_version) else None
    subscription.save()
    SubscriptionPhase.objects.bulk_create(phases)
    changes: dict[str, object] = {"plan_version": str(plan_version), "started_at": started_at.isoformat()}
    if quantity != 1:
        changes["quantity"] = quantity
    if trial_ends_at is not None:
        changes |= {"trial_ends_at": trial_ends_at.isoformat(), "trial_end": str(trial_end)}
    if billing_threshold is not None:
        changes["billing_threshold"] = money_text(billing_threshold, plan_version.currency)
    record(action="subscription.created", target=subscription, reason=reason, changes=changes)
    return subscription


def check_quantity(quantity: int) -> None:
    if not 1 <= quantity <= MAX_QUANTITY:
        raise Invalid("invalid_quantity", f"The quantity is 1 to {MAX_QUANTITY:,} seats.", param="/quantity")


def check_day(billing_anchor: str, billing_day: int | None) -> None:
    is_wanted = billing_anchor == Subscription.Anchor.DAY_OF_MONTH
    if is_wanted != (billing_day is not None) or (billing_day is not None and not 1 <= billing_day <= 31):
        raise Invalid(
            "invalid_billing_day",
            "Give a day from 1 to 31 with the anchor day_of_month, and only with it.",
            param="/billing_day",
        )


def end_of_trial(subscription: Subscription, trial_days: int | None) -> datetime | None:
    """So many local days later, at the same time of day; at midnight where shares are counted in days."""
    version = subscription.plan_version
    days = version.trial_days if trial_days is None else trial_days
    if not 0 <= days <= MAX_TRIAL_DAYS:
        raise Invalid("invalid_trial", f"A trial has 0 to {MAX_TRIAL_DAYS} days.", param="/trial_days")
    if not days:
        return None
    zone = ZoneInfo(subscription.time_zone)
    if version.proration == PlanVersion.Proration.DAY:
        return local_midnight(subscription.started_at, zone, days=days)
    local = subscription.started_at.astimezone(zone)
    return (local + timedelta(days=days)).replace(fold=0).astimezone(UTC)


def first_phases(
    subscription: Subscription, *, quantity: int, trial_ends_at: datetime | None, covers: str | None
) -> list[SubscriptionPhase]:
    version, start = subscription.plan_version, subscription.started_at
    billed = SubscriptionPhase(
        subscription=subscription, plan_version=version, starts_at=start, quantity=quantity
    )
    if trial_ends_at is None:
        return [billed]
    kind = covers or version.trial_covers
    if kind not in PlanVersion.TrialCovers.values:
        raise Invalid("invalid_trial", "A trial covers fees, or everything.", param="/trial_covers")
    free = (
        SubscriptionPhase.Treatment.TRIAL_ALL
        if kind == PlanVersion.TrialCovers.EVERYTHING
        else SubscriptionPhase.Treatment.TRIAL_FEES
    )
    trial = SubscriptionPhase(
        subscription=subscription,
        plan_version=version,
        starts_at=start,
        ends_at=trial_ends_at,
        quantity=quantity,
        treatment=free,
    )
    billed.starts_at = trial_ends_at
    return [trial, billed]


def refuse_unoffered(customer: Customer, plan_version: PlanVersion) -> None:
    if plan_version.plan.is_add_on:
        raise Refused(
            "is_add_on",
            f"{plan_version.plan} is an add-on; choose a plan, and attach the add-on to the subscription.",
            param="/plan",
        )
    refuse_unpublished(customer, plan_version, param="/plan")


def refuse_unpublished(customer: Customer, plan_version: PlanVersion, *, param: str) -> None:
    if plan_version.status != PlanVersion.Status.PUBLISHED:
        raise Refused(
            "plan_version_not_on_offer",
            f"{plan_version} is {plan_version.status}, not published.",
            param=param,
        )
    mine = NegotiatedVersion.objects.filter(customer=customer, plan_version=plan_version)
    if plan_version.is_negotiated and not mine.exists():
        raise Refused("negotiated_for_another", f"{plan_version} was made for another customer.", param=param)


def refuse_other_currency(customer: Customer, plan_version: PlanVersion, *, param: str) -> None:
    if plan_version.currency != customer.currency:
        raise Invalid(
            "currency_mismatch",
            f"{plan_version} is priced in {plan_version.currency}, {customer} pays in {customer.currency}.",
            param=param,
        )


def fix_currency(customer: Customer, plan_version: PlanVersion) -> None:
    """A customer pays in one currency: the one of the first subscription."""
    if plan_version.currency == customer.currency:
        return
    if Subscription.objects.filter(customer=customer).exists():
        refuse_other_currency(customer, plan_version, param="/plan")
    customer.currency = plan_version.currency
    customer.save(update_fields=["currency"])


def has_opening_fees(plan_version: PlanVersion) -> bool:
    return plan_version.prices.exclude(billing_timing=Price.Timing.ARREARS).exists()
