"""Put a customer on a plan version."""

from datetime import datetime, timedelta

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import PlanVersion, Price
from apps.core.errors import Invalid, Refused
from apps.customers.models import Customer
from apps.subscriptions.models import NegotiatedVersion, Subscription, SubscriptionPhase
from apps.subscriptions.selectors import meters_billed_since

# Each month since the start becomes an invoice at once; a slip of the keyboard must not make a thousand.
MAX_BACKDATING = timedelta(days=5 * 366)


@transaction.atomic
def subscribe(
    *,
    customer: Customer,
    plan_version: PlanVersion,
    started_at: datetime,
    now: datetime,
    billing_anchor: str = Subscription.Anchor.CALENDAR,
) -> Subscription:
    """Start at `started_at`, which may lie in the past: the close job then bills the past periods, oldest first.

    The first subscription fixes the customer's currency. Raises `Invalid` started_too_early,
    currency_mismatch; `Refused` plan_version_not_on_offer, negotiated_for_another, already_subscribed,
    meter_billed_elsewhere. The customer's row is locked, so that two callers can't both find the plan free.
    """
    if started_at < now - MAX_BACKDATING:
        raise Invalid(
            "started_too_early", "A subscription starts at most five years ago.", param="/started_at"
        )
    customer = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    refuse_unoffered(customer, plan_version)
    fix_currency(customer, plan_version)
    refuse_double_billing(customer, plan_version, started_at)
    subscription = Subscription(
        customer=customer,
        plan_version=plan_version,
        billing_anchor=billing_anchor,
        time_zone=customer.time_zone,
        started_at=started_at,
        invoiced_until=started_at,
        opening_due_at=started_at if has_opening_fees(plan_version) else None,
    )
    subscription.next_boundary_at = subscription.schedule.full_period_at(started_at).end
    subscription.save()
    SubscriptionPhase.objects.create(
        subscription=subscription, plan_version=plan_version, starts_at=started_at
    )
    record(
        action="subscription.created",
        target=subscription,
        changes={"plan_version": str(plan_version), "started_at": started_at.isoformat()},
    )
    return subscription


def refuse_unoffered(customer: Customer, plan_version: PlanVersion) -> None:
    if plan_version.status != PlanVersion.Status.PUBLISHED:
        raise Refused(
            "plan_version_not_on_offer",
            f"{plan_version} is {plan_version.status}, not published.",
            param="/plan",
        )
    mine = NegotiatedVersion.objects.filter(customer=customer, plan_version=plan_version)
    if plan_version.is_negotiated and not mine.exists():
        raise Refused(
            "negotiated_for_another", f"{plan_version} was made for another customer.", param="/plan"
        )


def fix_currency(customer: Customer, plan_version: PlanVersion) -> None:
    """A customer pays in one currency: the one of the first subscription."""
    if plan_version.currency == customer.currency:
        return
    if Subscription.objects.filter(customer=customer).exists():
        raise Invalid(
            "currency_mismatch",
            f"{plan_version} is priced in {plan_version.currency}, {customer} pays in {customer.currency}.",
            param="/plan",
        )
    customer.currency = plan_version.currency
    customer.save(update_fields=["currency"])


def refuse_double_billing(customer: Customer, plan_version: PlanVersion, started_at: datetime) -> None:
    """Two subscriptions to one plan, or to one meter, would bill the same usage twice."""
    running = Subscription.objects.filter(customer=customer, status=Subscription.Status.ACTIVE)
    if running.filter(plan_version__plan_id=plan_version.plan_id).exists():
        raise Refused(
            "already_subscribed", f"{customer} is on the plan {plan_version.plan} already.", param="/plan"
        )
    metered = set(plan_version.prices.filter(meter__isnull=False).values_list("meter_id", flat=True))
    if metered & meters_billed_since(customer=customer, since=started_at):
        raise Refused(
            "meter_billed_elsewhere",
            f"Another subscription of {customer} bills a meter of {plan_version}; usage would be billed twice.",
            param="/plan",
        )


def has_opening_fees(plan_version: PlanVersion) -> bool:
    return plan_version.prices.exclude(billing_timing=Price.Timing.ARREARS).exists()
