"""Close billing periods that have ended: one draft invoice each, oldest first, each exactly once.

The cursor of the subscription says what is due, not the calendar: after an outage of three months the job
bills three months, in their order. Subscriptions are taken in batches, those whose period ended first before the
others; the invoices of a batch and its new cursors are one transaction. Several workers share the work, since each
skips the subscriptions that another one holds.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from psycopg.errors import QueryCanceled

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.core.locks import is_deadlock
from apps.invoices.due import due_to_close, due_to_open, parked_subscriptions
from apps.invoices.models import BillingRun, Invoice
from apps.invoices.services.billing_runs import finish_run, note_billed, note_parked, start_run
from apps.invoices.services.close_batch import close_locked, open_locked, opening_period
from apps.invoices.services.draft import given_reason
from apps.invoices.services.park_subscription import park
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period

log = logging.getLogger(__name__)

# Large enough that what a batch costs by itself is little beside its subscriptions, small enough that a run tells
# every second how far it is, and that a failure does not undo much.
BATCH = 200
# Of one subscription in a deadlock, before the run gives up until the next beat.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Work:
    """Who is due, and what is done with those that are locked."""

    kind: BillingRun.Kind
    invoice_kind: Invoice.Kind
    due: Callable[[datetime], QuerySet[Subscription]]
    bill: Callable[..., list[Invoice]]
    period_of: Callable[[Subscription], Period]


CLOSING = Work(
    BillingRun.Kind.CLOSING,
    Invoice.Kind.CYCLE,
    due_to_close,
    close_locked,
    lambda subscription: subscription.open_period,
)
OPENING = Work(
    BillingRun.Kind.OPENING,
    Invoice.Kind.OPENING,
    due_to_open,
    open_locked,
    lambda subscription: opening_period(subscription, subscription.timeline()),
)


def close_due_periods(now: datetime) -> int:
    """Close every period that ended at or before `now`. Returns how many. Running it again changes nothing.

    A subscription that can't be billed is parked with the reason until somebody releases it; the others go on.
    """
    return work_off(CLOSING, now)


def open_due_subscriptions(now: datetime) -> int:
    """Bill what is due when a subscription starts: set-up fees and fees at the start of a period. Returns how many."""
    return work_off(OPENING, now)


def close_period(*, subscription_id: int, now: datetime) -> bool:
    """Close the oldest open period of one subscription. False when it is not due (any more).

    Raises what stands against it. The row is locked until the commit; whoever waited for it finds the cursor moved on.
    """
    return bill_waiting(CLOSING, subscription_id, now)


def open_subscription(*, subscription_id: int, now: datetime) -> bool:
    """Bill one opening. False when another worker was faster."""
    return bill_waiting(OPENING, subscription_id, now)


def close_now(*, subscription: Subscription, reason: str, now: datetime) -> int:
    """Bill all periods of one subscription that are over, at once and not at the next beat. Returns how many.

    Raises `Refused` is_parked, not_due, and held_elsewhere when a run is at it this very moment.
    """
    why = given_reason(reason)
    parked = parked_subscriptions().filter(subscription=subscription).first()
    if parked is not None:
        raise Refused("is_parked", f"It is parked, release it first: {parked.message}")
    if not any(work.due(now).filter(pk=subscription.pk).exists() for work in (OPENING, CLOSING)):
        raise Refused("not_due", "No period of it is over that is not billed yet.")
    opened, closed = (work_off(work, now, subscription) for work in (OPENING, CLOSING))
    parked = parked_subscriptions().filter(subscription=subscription).first()
    if parked is None and not opened + closed:
        raise Refused("held_elsewhere", "Somebody else is billing it just now.")
    record(
        action="subscription.closed_now",
        target=subscription,
        reason=why,
        changes={"openings": opened, "periods": closed, "parked": parked.message if parked else ""},
    )
    return opened + closed


def work_off(work: Work, now: datetime, only: Subscription | None = None) -> int:
    def due() -> QuerySet[Subscription]:
        found = work.due(now)
        return found if only is None else found.filter(pk=only.pk)

    due_count = due().count()
    if not due_count:
        return 0
    run = start_run(kind=work.kind, due_until=now, due_count=due_count, subscription=only)
    billed = 0
    while (done := bill_next(work, due(), now, run)) is not None:
        billed += done
    finish_run(run)
    return billed


def claim(due: QuerySet[Subscription], at_most: int) -> list[Subscription]:
    # Without a join: whoever waited for a row while its version changed would find that the two no longer match.
    return list(due.select_for_update(skip_locked=True)[:at_most])


def bill_next(work: Work, due: QuerySet[Subscription], now: datetime, run: BillingRun) -> int | None:
    """Bill the next batch; returns how many. None when nobody is left that nobody else holds.

    When anything goes wrong the batch is rolled back and its subscriptions are tried one by one.
    """
    claimed: list[Subscription] = []
    try:
        with transaction.atomic():
            claimed = claim(due, BATCH)
            if not claimed:
                return None
            return bill_claimed(work, claimed, now, run)
    except Exception as error:
        # Whatever one of them trips over, the others go on.
        if not claimed or (is_passing(error) and not is_deadlock(error)):
            raise
        log.info("%s subscriptions are tried one by one: %s", len(claimed), error)
        return sum(bill_alone(work, due.filter(pk=one.pk), now, run) for one in claimed)


def is_passing(error: Exception) -> bool:
    """Nothing is wrong with the subscriptions: the database is away, or two transactions stood in each other's way.

    Not so a question that took too long: it would again, every minute, and hold up all others.
    """
    is_canceled = isinstance(error.__cause__, QueryCanceled)
    return isinstance(error, OperationalError | InterfaceError) and not is_canceled


def bill_claimed(work: Work, claimed: list[Subscription], now: datetime, run: BillingRun) -> int:
    """Returns how many are billed: all of them, unless a threshold is no longer reached."""
    invoices = work.bill(claimed, now=now)
    billed = len({one.subscription_id for one in invoices})
    note_billed(run, billed=billed, invoices=invoices)
    return billed


def bill_alone(work: Work, due: QuerySet[Subscription], now: datetime, run: BillingRun) -> int:
    """Again when it stood in somebody's way: who gave way once finds the way free."""
    for _ in range(TRIES - 1):
        try:
            return bill_or_park(work, due, now, run)
        except OperationalError as error:
            if not is_deadlock(error):
                raise
    return bill_or_park(work, due, now, run)


def bill_or_park(work: Work, due: QuerySet[Subscription], now: datetime, run: BillingRun) -> int:
    """Of one subscription, which stays locked until it is billed or parked. Returns how many were billed."""
    with transaction.atomic():
        claimed = claim(due, 1)
        if not claimed:
            return 0
        [subscription] = claimed
        period = work.period_of(subscription)
        try:
            with transaction.atomic():
                return bill_claimed(work, claimed, now, run)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("subscription %s can't be billed", subscription.pk)
            park(
                subscription=subscription,
                period=period,
                kind=work.invoice_kind,
                error=error,
                now=now,
                run=run,
            )
            note_parked(run)
    return 0


@transaction.atomic
def bill_waiting(work: Work, subscription_id: int, now: datetime) -> bool:
    """One, without a run; waits for whoever holds it."""
    found = list(work.due(now).filter(pk=subscription_id).select_for_update())
    if found:
        work.bill(found, now=now)
    return bool(found)
