"""Close billing periods that have ended: one draft invoice each, oldest first, each exactly once.

The cursor of the subscription says what is due, not the calendar: after an outage of three months the job
bills three months, in their order. A period and its new cursor are one transaction. Several workers share
the work, since each skips the subscriptions that another one holds.
"""

import logging
from datetime import datetime, timedelta

from django.db import DataError, transaction

from apps.invoices.models import Invoice
from apps.invoices.selectors import billing_settings
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.draft_lines import write_lines
from apps.rating import RatingError
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.selectors import active_subscriptions
from apps.subscriptions.services.end_subscription import end_subscription

log = logging.getLogger(__name__)


def close_due_periods(now: datetime) -> int:
    """Close every period that ended at or before `now`. Returns how many. Running it again changes nothing."""
    closed = 0
    unbillable: set[int] = set()
    while (subscription_id := next_due(now, unbillable)) is not None:
        try:
            closed += close_period(subscription_id=subscription_id, now=now)
        except (RatingError, DataError):
            # DataError: an amount that no column holds. The others go on; this one stays due and is tried again
            # at the next run.
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
    subscription = locked(subscription_id)
    if subscription.next_boundary_at > now or subscription.status != Subscription.Status.ACTIVE:
        return False
    period = subscription.open_period
    if subscription.opening_due_at is not None and subscription.opening_due_at < period.end:
        open_locked(subscription, now=now)
    draft_invoice(subscription=subscription, period=period, kind=Invoice.Kind.CYCLE, now=now)
    move_cursor(subscription, period)
    return True


def move_cursor(subscription: Subscription, period: Period) -> None:
    """Past a period that is billed: to the next one, or to the end of the subscription."""
    timeline = subscription.timeline()
    if period.end == timeline.ends_at:
        end_subscription(subscription)
        return
    moved = Subscription.objects.filter(pk=subscription.pk, invoiced_until=period.start).update(
        invoiced_until=period.end,
        next_boundary_at=timeline.cycle_at(period.end).end,
        plan_version=timeline.stage_at(period.end).version_id,
    )
    assert moved == 1, "the cursor moved while its row was locked"


def open_due_subscriptions(now: datetime) -> int:
    """Bill what is due when a subscription starts: set-up fees and fees at the start of a period. Returns how many."""
    due = active_subscriptions().filter(opening_due_at__lte=now).order_by("opening_due_at", "id")
    opened = 0
    for pk in due.values_list("pk", flat=True):
        try:
            opened += open_subscription(subscription_id=pk, now=now)
        except RatingError:
            # As with closing: the others go on.
            log.exception("the opening of subscription %s can't be billed", pk)
    return opened


@transaction.atomic
def open_subscription(*, subscription_id: int, now: datetime) -> bool:
    """Bill one opening. False when another worker was faster."""
    subscription = locked(subscription_id)
    if subscription.opening_due_at is None or subscription.opening_due_at > now:
        return False
    open_locked(subscription, now=now)
    return True


def open_locked(subscription: Subscription, *, now: datetime) -> None:
    assert subscription.opening_due_at is not None
    first = Period(
        subscription.opening_due_at, subscription.timeline().cycle_at(subscription.opening_due_at).end
    )
    draft_invoice(subscription=subscription, period=first, kind=Invoice.Kind.OPENING, now=now)
    subscription.opening_due_at = None
    subscription.save(update_fields=["opening_due_at"])


def locked(subscription_id: int) -> Subscription:
    # Without a join: whoever waited for the row while its version changed would find that the two no longer match.
    return Subscription.objects.select_for_update().get(pk=subscription_id)


def draft_invoice(*, subscription: Subscription, period: Period, kind: str, now: datetime) -> Invoice:
    computed = compute_invoice(subscription=subscription, period=period, as_of=now, kind=kind)
    invoice = Invoice.objects.create(
        kind=kind,
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
    return invoice
