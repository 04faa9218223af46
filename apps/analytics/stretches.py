"""Stretches of time that are priced by themselves: a subscription's billing period, cut where its version changes.

Usage is added up from a stretch's start, since tiers and included quantities begin anew with it. What accrued since
an instant in its midst is the cost until now less the cost until then, so a stretch is read in pieces between such
instants, and the pieces are added up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.periods import Period
from apps.subscriptions.selectors import active_subscriptions


@dataclass(frozen=True, slots=True)
class Stretch:
    """`pieces` tile `[start, end)`; the cuts are the instants since which somebody wants to know."""

    customer_id: int
    version_id: int
    start: datetime
    end: datetime
    pieces: tuple[Period, ...]


def stretches_of(*, starts: Sequence[datetime], end: datetime, at_most: int) -> tuple[list[Stretch], int]:
    """The stretches of active subscriptions that reach into `[earliest start, end)`, and how many subscriptions
    there are in all: of more than `at_most` only the oldest are read. Three queries."""
    first = min(starts)
    active = active_subscriptions().filter(started_at__lt=end)
    oldest = active.order_by("id")[:at_most]
    subscriptions = list(oldest)
    counted = len(subscriptions) if len(subscriptions) < at_most else active.count()
    phases: dict[int, list[SubscriptionPhase]] = {}
    rows = SubscriptionPhase.objects.filter(subscription__in=oldest.values("pk"))
    for phase in rows.order_by("subscription_id", "starts_at"):
        phases.setdefault(phase.subscription_id, []).append(phase)
    found = [
        stretch
        for subscription in subscriptions
        for period in periods_in(subscription, first, end)
        for stretch in cut(subscription.customer_id, phases.get(subscription.pk, []), period, starts)
        if stretch.end > first
    ]
    return found, counted


def periods_in(subscription: Subscription, first: datetime, end: datetime) -> Iterator[Period]:
    """Billing periods that overlap `[first, end)`, each cut off at `end`."""
    instant = max(first, subscription.started_at)
    while instant < end:
        full = subscription.schedule.full_period_at(instant)
        yield Period(max(full.start, subscription.started_at), min(full.end, end))
        instant = full.end


def cut(
    customer_id: int, phases: list[SubscriptionPhase], period: Period, starts: Sequence[datetime]
) -> Iterator[Stretch]:
    for phase in phases:
        start = max(phase.starts_at, period.start)
        end = period.end if phase.ends_at is None else min(phase.ends_at, period.end)
        if start < end:
            marks = [start, *sorted({mark for mark in starts if start < mark < end}), end]
            pieces = tuple(Period(marks[index], marks[index + 1]) for index in range(len(marks) - 1))
            yield Stretch(customer_id, phase.plan_version_id, start, end, pieces)
