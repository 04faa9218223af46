"""A subscription's life on its page: a bar of its phases, and each of them in words."""

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from apps.core import clock
from apps.core.admin.display import instant_text
from apps.core.admin.registry import Panel, register_panel
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.outline import state_at

# An open end is drawn as so much of what is known.
OPEN_TAIL = 6
MINUTE = timedelta(minutes=1)


def life_of(request: HttpRequest, subscription: Subscription) -> dict[str, Any]:
    now = clock.now()
    phases = [one for one in subscription.phases.all() if is_lived(one, subscription)]
    start, until = phases[0].starts_at, horizon(subscription, phases, now)
    return {
        "phases": [phase_row(one, subscription, now) for one in reversed(phases)],
        "segments": [
            {
                # As text: a number would be written with separators.
                "weight": str(max((end_of(one, subscription, until) - one.starts_at) // MINUTE, 1)),
                "treatment": one.treatment,
                "state": state_at(now, one),
                "title": f"{one.plan_version}, {words_of(one)}",
            }
            for one in phases
        ],
        "from": instant_text(start, subscription.time_zone),
        "until": ending(subscription),
        "now": percent(now - start, until - start),
        "billed": percent(subscription.invoiced_until - start, until - start),
    }


def is_lived(phase: SubscriptionPhase, subscription: Subscription) -> bool:
    """A phase that would begin after the end is not told; the first one always is."""
    end = subscription.ends_at
    return end is None or phase.starts_at < end or phase.starts_at == subscription.started_at


def horizon(subscription: Subscription, phases: list[SubscriptionPhase], now: datetime) -> datetime:
    if subscription.ends_at is not None:
        return max(subscription.ends_at, subscription.started_at + MINUTE)
    known = max(now, subscription.next_boundary_at, phases[-1].starts_at)
    return known + max((known - phases[0].starts_at) // OPEN_TAIL, MINUTE)


def end_of(phase: SubscriptionPhase, subscription: Subscription, until: datetime) -> datetime:
    return until if phase.ends_at is None else min(phase.ends_at, until)


def percent(part: timedelta, whole: timedelta) -> str:
    """For the page's style: from 0% to 100%, with one decimal."""
    permille = min(max(1000 * part // whole, 0), 1000)
    return f"{permille // 10}.{permille % 10}%"


def ending(subscription: Subscription) -> str:
    if subscription.ends_at is None:
        return "open"
    word = "ended" if subscription.status == Subscription.Status.ENDED else "ends"
    return f"{word} {instant_text(subscription.ends_at, subscription.time_zone)}"


def words_of(phase: SubscriptionPhase) -> str:
    seats = f"{phase.quantity:,} seat{'' if phase.quantity == 1 else 's'}"
    if phase.treatment == SubscriptionPhase.Treatment.BILLED:
        return seats
    return f"{seats}, {phase.get_treatment_display()[:1].lower()}{phase.get_treatment_display()[1:]}"


def phase_row(phase: SubscriptionPhase, subscription: Subscription, now: datetime) -> dict[str, Any]:
    ends_at = phase.ends_at
    if subscription.ends_at is not None and (ends_at is None or ends_at > subscription.ends_at):
        ends_at = subscription.ends_at
    zone = subscription.time_zone
    return {
        "version": phase.plan_version,
        "words": words_of(phase),
        "from": instant_text(phase.starts_at, zone),
        "until": instant_text(ends_at, zone) if ends_at else "",
        "treatment": phase.treatment,
        "state": state_at(now, phase).capitalize(),
    }


register_panel(
    "subscriptions.subscription",
    Panel(
        10,
        "admin/subscriptions/subscription/life.html",
        "subscriptions.view_subscription",
        life_of,
        is_wide=True,
    ),
)
