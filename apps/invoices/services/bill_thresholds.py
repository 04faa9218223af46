"""Bill what is used of open periods as soon as the unbilled part reaches the subscription's threshold.

The look at all that have a threshold takes no lock. Only those that have reached theirs are claimed, as closing claims
its own, and computed again under their lock.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from apps.core import clock
from apps.invoices.due import due_to_look
from apps.invoices.models import BillingRun, Invoice
from apps.invoices.selectors import drafts
from apps.invoices.services.billing_runs import finish_run, note_due, start_run
from apps.invoices.services.close_batch import store_drafts
from apps.invoices.services.close_periods import BATCH, Work, bill_next, is_passing
from apps.invoices.services.compute import ComputedInvoice, compute_invoices
from apps.invoices.services.cycles import Asked
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period

log = logging.getLogger(__name__)
THRESHOLD = Invoice.Kind.THRESHOLD


def bill_thresholds(now: datetime) -> int:
    """Draft an invoice of `[start of the cycle, now)` for each subscription that has reached its threshold.

    Returns how many. Running it again makes no other: what it charged is no longer unbilled. One that can't be billed
    is parked, as when a period is closed.
    """
    run: BillingRun | None = None
    billed, last = 0, 0
    while batch := list(due_to_look(now).filter(pk__gt=last)[:BATCH]):
        last = batch[-1].pk
        reached = reached_among(batch, now)
        if not reached:
            continue
        if run is None:
            run = start_run(kind=BillingRun.Kind.THRESHOLDS, due_until=now, due_count=0)
        note_due(run, len(reached))
        billed += bill_next(work_at(now), due_to_look(now).filter(pk__in=reached), now, run) or 0
    if run is not None:
        finish_run(run)
    return billed


def next_threshold_at() -> datetime | None:
    """Now, when somebody has reached a threshold: for the clock of a sandbox, which stands while usage comes in."""
    now, last = clock.now(), 0
    while batch := list(due_to_look(now).filter(pk__gt=last)[:BATCH]):
        last = batch[-1].pk
        if reached_among(batch, now):
            return now
    return None


def work_at(now: datetime) -> Work:
    return Work(
        BillingRun.Kind.THRESHOLDS,
        THRESHOLD,
        due_to_look,
        bill_locked,
        lambda subscription: Period(subscription.invoiced_until, now),
    )


def reached_among(subscriptions: Sequence[Subscription], now: datetime) -> list[int]:
    """Their ids. When one of them can't be rated all of them: who bills them one by one finds out which."""
    try:
        return [one.subscription.pk for one in reached_of(subscriptions, now)]
    except Exception as error:
        if is_passing(error):
            raise
        log.info("%s subscriptions are tried one by one: %s", len(subscriptions), error)
        return [one.pk for one in subscriptions]


def reached_of(subscriptions: Sequence[Subscription], now: datetime) -> list[ComputedInvoice]:
    asked = [Asked(one, Period(one.invoiced_until, now), THRESHOLD) for one in subscriptions]
    return [one for one in compute_invoices(asked, as_of=now) if is_reached(one)]


def is_reached(computed: ComputedInvoice) -> bool:
    threshold = computed.subscription.billing_threshold
    return threshold is not None and computed.total >= threshold


@dataclass(frozen=True, slots=True)
class Unbilled:
    """Usage of an open period that no invoice charges yet, beside the threshold at which one will."""

    amount: Decimal
    threshold: Decimal


def unbilled_of(subscriptions: Iterable[Subscription], now: datetime) -> dict[int, Unbilled]:
    """Of those with a threshold and an open period, by subscription; a fixed number of queries, or none."""
    asked = [
        Asked(one, Period(one.invoiced_until, min(now, one.next_boundary_at)), THRESHOLD)
        for one in subscriptions
        if one.billing_threshold is not None
        and one.status == Subscription.Status.ACTIVE
        and one.invoiced_until < now
    ]
    return {
        one.subscription.pk: Unbilled(one.total, one.subscription.billing_threshold)
        for one in (compute_invoices(asked, as_of=now) if asked else [])
        if one.subscription.billing_threshold is not None
    }


def bill_locked(subscriptions: Sequence[Subscription], *, now: datetime) -> list[Invoice]:
    """Another worker may have been faster between the look and the lock; its draft is seen now."""
    waiting = set(
        drafts()
        .filter(kind=THRESHOLD, subscription__in=subscriptions)
        .values_list("subscription_id", "period_start")
    )
    free = [one for one in subscriptions if (one.pk, one.invoiced_until) not in waiting]
    return store_drafts(reached_of(free, now), now) if free else []
