"""Close billing periods that have ended: one draft invoice each, oldest first, each exactly once.

The cursor of the subscription says what is due, not the calendar: after an outage of three months the job
bills three months, in their order. A period and its new cursor are one transaction. Several workers share
the work, since each skips the subscriptions that another one holds.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from apps.invoices.models import Invoice
from apps.invoices.selectors import billing_settings
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.draft_lines import write_lines
from apps.rating import RatingError
from apps.subscriptions.models import Subscription
from apps.subscriptions.selectors import active_subscriptions

log = logging.getLogger(__name__)


def close_due_periods(now: datetime) -> int:
    """Close every period that ended at or before `now`. Returns how many. Running it again changes nothing."""
    closed = 0
    unbillable: set[int] = set()
    while (subscription_id := next_due(now, unbillable)) is not None:
        try:
            closed += close_period(subscription_id=subscription_id, now=now)
        except RatingError:
            # The others go on; this one stays due and is tried again at the next run.
            log.exception("subscription %s can't be billed", subscription_id)
            unbillable.add(subscription_id)
    return closed


def next_due(now: datetime, unbillable: set[int]) -> int | None:
    """The subscription whose open period ended first, of those nobody else is closing."""
    with transaction.atomic():
        return (
            active_subscriptions()
            .filter(next_boundary_at__lte=now)
            .exclude(pk__in=unbillable)
            .order_by("next_boundary_at", "id")
            .select_for_update(skip_locked=True)
            .values_list("pk", flat=True)
            .first()
        )


@transaction.atomic
def close_period(*, subscription_id: int, now: datetime) -> bool:
    """Close the oldest open period of one subscription. False when it is not due (any more).

    The row is locked from here to the commit; whoever waited for it finds the cursor moved on.
    """
    subscription = (
        Subscription.objects.select_for_update(of=("self",))
        .select_related("plan_version", "customer")
        .get(pk=subscription_id)
    )
    if subscription.next_boundary_at > now or subscription.status != Subscription.Status.ACTIVE:
        return False
    period = subscription.open_period
    computed = compute_invoice(subscription=subscription, period=period)
    invoice = Invoice.objects.create(
        customer=subscription.customer,
        subscription=subscription,
        currency=computed.currency,
        period_start=period.start,
        period_end=period.end,
        subtotal=computed.total,
        total=computed.total,
        usage_cutoff_at=now,
        finalize_due_at=now + timedelta(hours=billing_settings().draft_grace_hours),
        created_at=now,
    )
    write_lines(invoice=invoice, computed=computed, now=now)
    moved = Subscription.objects.filter(pk=subscription.pk, invoiced_until=period.start).update(
        invoiced_until=period.end, next_boundary_at=subscription.schedule.full_period_at(period.end).end
    )
    assert moved == 1, "the cursor moved while its row was locked"
    return True
