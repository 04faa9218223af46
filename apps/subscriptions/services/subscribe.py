"""Put a customer on a plan version."""

from datetime import datetime, timedelta

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import PlanVersion
from apps.core.errors import Invalid, Refused
from apps.customers.models import Customer
from apps.subscriptions.models import Subscription

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

    Raises `Invalid` started_too_early, currency_mismatch; `Refused` plan_version_not_on_offer,
    already_subscribed, meter_billed_elsewhere. The customer's row is locked, so that two callers can't both
    find the plan free.
    """
    if started_at < now - MAX_BACKDATING:
        raise Invalid(
            "started_too_early", "A subscription starts at most five years ago.", param="/started_at"
        )
    customer = Customer.objects.select_for_update().get(pk=customer.pk)
    if plan_version.status != PlanVersion.Status.PUBLISHED:
        raise Refused(
            "plan_version_not_on_offer",
            f"{plan_version} is {plan_version.status}, not published.",
            param="/plan",
        )
    if plan_version.currency != customer.currency:
        raise Invalid(
            "currency_mismatch",
            f"{plan_version} is priced in {plan_version.currency}, {customer} pays in {customer.currency}.",
            param="/plan",
        )
    running = Subscription.objects.filter(
        customer=customer, plan_version__plan_id=plan_version.plan_id, status=Subscription.Status.ACTIVE
    )
    if running.exists():
        # Two subscriptions to one plan would bill the same usage twice.
        raise Refused(
            "already_subscribed", f"{customer} is on the plan {plan_version.plan} already.", param="/plan"
        )
    metered = set(plan_version.prices.filter(meter__isnull=False).values_list("meter_id", flat=True))
    taken = running_meters(customer)
    if metered & taken:
        raise Refused(
            "meter_billed_elsewhere",
            f"Another subscription of {customer} bills a meter of {plan_version} already; usage would be billed twice.",
            param="/plan",
        )
    subscription = Subscription(
        customer=customer,
        plan_version=plan_version,
        billing_anchor=billing_anchor,
        time_zone=customer.time_zone,
        started_at=started_at,
        invoiced_until=started_at,
    )
    subscription.next_boundary_at = subscription.schedule.full_period_at(started_at).end
    subscription.save()
    record(
        action="subscription.created",
        target=subscription,
        changes={"plan_version": str(plan_version), "started_at": started_at.isoformat()},
    )
    return subscription


def running_meters(customer: Customer) -> set[int]:
    rows = Subscription.objects.filter(customer=customer, status=Subscription.Status.ACTIVE).values_list(
        "plan_version__prices__meter_id", flat=True
    )
    return {meter_id for meter_id in rows if meter_id is not None}
