"""When a change takes effect: now, at the end of what is paid, or on a date. Chosen by whoever asks, never guessed."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import models

from apps.catalog.models import PlanVersion
from apps.core.errors import Invalid, Refused
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import local_midnight
from apps.subscriptions.timeline import Timeline


class When(models.TextChoices):
    NOW = "now", "Now"
    PERIOD_END = "period_end", "When the paid period ends"
    DATE = "date", "At a certain time"


def instant_of(
    subscription: Subscription,
    timeline: Timeline,
    *,
    when: str,
    at: datetime | None,
    now: datetime,
    proration: str = "",
    is_snapped: bool = True,
) -> datetime:
    """The instant (UTC). Where shares are counted in days, by what counts until then or by the `proration` that
    counts from then on, a change counts from the local midnight before it. Never at or after the end.

    Raises `Invalid` invalid_when, missing_field, field_not_allowed; `Refused` already_billed, ends_before.
    """
    refuse_ended(subscription)
    cursor = subscription.invoiced_until
    if when not in When.values:
        raise Invalid("invalid_when", "Say when: now, period_end or date.", param="/when")
    if when == When.DATE and at is None:
        raise Invalid("missing_field", "Say at which time the change takes effect.", param="/at")
    if when != When.DATE and at is not None:
        raise Invalid("field_not_allowed", "A time is given only with “date”.", param="/at")
    if when == When.PERIOD_END:
        instant = timeline.renewal_at(max(now, cursor))
    else:
        instant = now if at is None else at
        if instant < cursor and when == When.DATE:
            raise Refused(
                "already_billed",
                f"It is billed until {cursor.isoformat()}; choose a later time.",
                param="/at",
            )
        if is_snapped:
            instant = counted_from(subscription, timeline, instant, proration)
        instant = max(instant, cursor)
    if subscription.ends_at is not None and instant >= subscription.ends_at:
        raise Refused(
            "ends_before",
            f"The subscription ends at {subscription.ends_at.isoformat()} already; "
            "reactivate it first, or choose an earlier time.",
            param="/at" if when == When.DATE else "/when",
        )
    return instant


def counted_from(
    subscription: Subscription, timeline: Timeline, instant: datetime, proration: str
) -> datetime:
    """The local midnight before a change when either side counts in days: else a part of the day was nobody's."""
    if PlanVersion.Proration.DAY not in (proration, timeline.stage_at(instant).proration):
        return instant
    return local_midnight(instant, ZoneInfo(subscription.time_zone))


def refuse_ended(subscription: Subscription) -> None:
    if subscription.status != Subscription.Status.ACTIVE:
        raise Refused("subscription_ended", f"{subscription} has ended; subscribe anew.")
