"""Stretches of time that are priced by themselves: a subscription's billing period, cut where its version changes.

Usage is added up from a stretch's start, since tiers and included quantities begin anew with it. What accrued since
an instant in its midst is the cost until now less the cost until then, so a stretch is read in pieces between such
instants, and the pieces are added up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.invoices.teams import Families, families_of
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.periods import Period
from apps.subscriptions.selectors import active_subscriptions
from apps.subscriptions.timeline import PAUSED, TRIAL_ALL, Timeline
from apps.usage.selectors import Span


@dataclass(frozen=True, slots=True)
class Stretch:
    """`pieces` tile `[start, end)`; the cuts are the instants since which somebody wants to know.

    `teams` is the usage of others that is priced with the customer's, within the stretch.
    """

    customer_id: int
    version_id: int
    start: datetime
    end: datetime
    pieces: tuple[Period, ...]
    teams: tuple[Span, ...] = ()

    def span(self, start: datetime, end: datetime) -> Span:
        """Of a part of it, with what teams used then."""
        joined = (Span(one.customer_id, max(one.start, start), min(one.end, end)) for one in self.teams)
        return Span(self.customer_id, start, end, tuple(one for one in joined if one.start < one.end))


def stretches_of(*, starts: Sequence[datetime], end: datetime, at_most: int) -> tuple[list[Stretch], int]:
    """The stretches of active subscriptions that reach into `[earliest start, end)`, and how many subscriptions
    there are in all: of more than `at_most` only the oldest are read. Four queries."""
    first = min(starts)
    active = active_subscriptions().filter(started_at__lt=end)
    oldest = active.order_by("id")[:at_most]
    subscriptions = list(oldest)
    counted = len(subscriptions) if len(subscriptions) < at_most else active.count()
    phases: dict[int, list[SubscriptionPhase]] = {}
    rows = SubscriptionPhase.objects.filter(subscription__in=oldest.values("pk"))
    for phase in rows.select_related("plan_version").order_by("subscription_id", "starts_at"):
        phases.setdefault(phase.subscription_id, []).append(phase)
    families = families_of({one.customer_id for one in subscriptions})
    found = []
    for subscription in subscriptions:
        timeline = subscription.timeline(phases.get(subscription.pk, []))
        for period in periods_in(subscription, timeline, first, end):
            found += [
                stretch
                for stretch in cut(subscription.customer_id, timeline, period, starts, families)
                if stretch.end > first
            ]
    return found, counted


def periods_in(
    subscription: Subscription, timeline: Timeline, first: datetime, end: datetime
) -> Iterator[Period]:
    """Billing periods that overlap `[first, end)`, each cut off at `end`."""
    instant = max(first, subscription.started_at)
    until = end if subscription.ends_at is None else min(end, subscription.ends_at)
    while instant < until:
        period = timeline.cycle_at(instant)
        yield Period(period.start, min(period.end, until))
        instant = period.end


def cut(
    customer_id: int, timeline: Timeline, period: Period, starts: Sequence[datetime], families: Families
) -> Iterator[Stretch]:
    """Usage that is paused or free accrues nothing."""
    for stage in timeline.usage_stages(period):
        assert stage.end is not None
        if stage.treatment not in (PAUSED, TRIAL_ALL):
            marks = [
                stage.start,
                *sorted({one for one in starts if stage.start < one < stage.end}),
                stage.end,
            ]
            pieces = tuple(Period(marks[index], marks[index + 1]) for index in range(len(marks) - 1))
            teams = families.span_of(customer_id, Period(stage.start, stage.end)).joined
            yield Stretch(customer_id, stage.version_id, stage.start, stage.end, pieces, teams)
