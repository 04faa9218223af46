"""Cancel a subscription, and take that back before it happens."""

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import PlanVersion
from apps.core.errors import Invalid, Refused
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period, local_midnight
from apps.subscriptions.services import rewrite
from apps.subscriptions.services.end_subscription import end_subscription
from apps.subscriptions.services.when import instant_of, refuse_ended

MICROSECOND = timedelta(microseconds=1)

# Refuses an end without any invoice where something still waits for one; what does lives above, and puts it in here.
Check = Callable[[Subscription], None]
_checks: list[Check] = []


def add_check(check: Check) -> None:
    _checks.append(check)


@transaction.atomic
def cancel(
    *,
    subscription: Subscription,
    when: str,
    unused: str,
    now: datetime,
    at: datetime | None = None,
    reason: str = "",
) -> Subscription:
    """End at an instant. The period until then is billed, and nothing after it.

    `unused` says what becomes of fees that were paid for time after the end: credit, refund or nothing. Where shares
    are counted in days, the day of the cancellation is still used. Cancelling again replaces what was said before.
    Raises `Invalid` invalid_unused; `Refused` subscription_ended, what `instant_of` raises, for a later end than
    before what `rewrite.refresh` raises, and charges_waiting for one that never began and has charges.
    """
    if unused not in Subscription.Unused.values:
        raise Invalid(
            "invalid_unused",
            "Say what becomes of the unused part: credit, refund or nothing.",
            param="/unused",
        )
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    former = subscription.timeline()
    subscription.ends_at = None
    ends_at = end_of(subscription, when=when, at=at, now=now)
    subscription.ends_at = ends_at
    subscription.canceled_at = now
    subscription.unused = unused
    subscription.cancellation_reason = reason
    subscription.save(update_fields=["ends_at", "canceled_at", "unused", "cancellation_reason"])
    record(
        action="subscription.canceled",
        target=subscription,
        reason=reason,
        changes={"ends_at": ends_at.isoformat(), "unused": unused},
    )
    if ends_at == subscription.invoiced_until:
        for check in _checks:
            check(subscription)
        end_subscription(subscription)
    else:
        rewrite.refresh(subscription, before=former)
    return subscription


def end_of(subscription: Subscription, *, when: str, at: datetime | None, now: datetime) -> datetime:
    timeline = subscription.timeline()
    instant = instant_of(subscription, timeline, when=when, at=at, now=now, is_snapped=False)
    if timeline.stage_at(instant).proration == PlanVersion.Proration.DAY:
        instant = end_of_day(subscription, timeline.cycle_at(instant), instant)
    cursor = subscription.invoiced_until
    is_begun = cursor > subscription.started_at or now > subscription.started_at
    # What is paid of the period that begins at the cursor comes back on an invoice of its own; a period has to have
    # a length for that. A subscription that never began has none.
    return max(instant, cursor + MICROSECOND) if is_begun else max(instant, cursor)


def end_of_day(subscription: Subscription, cycle: Period, instant: datetime) -> datetime:
    """The local midnight after it; but where a cycle ends before, the day is used up until there and no further."""
    zone = ZoneInfo(subscription.time_zone)
    if instant in (cycle.start, local_midnight(instant, zone)):
        return instant
    return min(local_midnight(instant, zone, days=1), cycle.end)


@transaction.atomic
def reactivate(*, subscription: Subscription, now: datetime, reason: str = "") -> Subscription:
    """Take a cancellation back.

    Raises `Refused` not_canceled, end_took_effect, subscription_ended; already_subscribed and meter_billed_elsewhere
    when another subscription has taken its place.
    """
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    if subscription.ends_at is None:
        raise Refused("not_canceled", f"{subscription} is not cancelled.")
    if subscription.ends_at <= now:
        raise Refused("end_took_effect", f"{subscription} has ended; subscribe anew.")
    before = subscription.ends_at
    former = subscription.timeline()
    subscription.ends_at = subscription.canceled_at = None
    subscription.unused = subscription.cancellation_reason = ""
    subscription.save(update_fields=["ends_at", "canceled_at", "unused", "cancellation_reason"])
    rewrite.refresh(subscription, before=former)
    record(
        action="subscription.reactivated",
        target=subscription,
        reason=reason,
        changes={"ends_at": [before.isoformat(), None]},
    )
    return subscription
