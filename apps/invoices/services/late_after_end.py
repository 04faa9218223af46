"""Usage that came after the last invoice of a subscription that has ended: no next invoice will take it.

It is priced as an adjustment would be, price(all usage) − price(billed usage), and shown to staff, who decide whether
to bill it (`bill_late_after_end`).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Exists, OuterRef

from apps.invoices.selectors import drafts_taking_late_usage
from apps.invoices.services.late_lines import adjustments, compared_of
from apps.invoices.services.lines import ComputedLine
from apps.rating import RatingError, exact_sum
from apps.subscriptions.models import Subscription

log = logging.getLogger(__name__)

# Longer ago nobody waits for events any more, and their sums need not be read each time the page is.
LOOKED_BACK = timedelta(days=400)
AT_MOST = 200


@dataclass(frozen=True, slots=True)
class LateAfterEnd:
    """What a customer would still owe; less than nothing when usage was taken back."""

    subscription: Subscription
    lines: list[ComputedLine]

    @property
    def amount(self) -> Decimal:
        return exact_sum(line.amount for line in self.lines)

    @property
    def event_count(self) -> int:
        return sum(line.event_count or 0 for line in self.lines)


def late_after_end(*, now: datetime) -> list[LateAfterEnd]:
    """Of the subscriptions that ended last, those whose usage is not what was billed; a fixed number of queries.

    One with a draft is left out: the draft will take it.
    """
    ended = list(
        Subscription.objects.filter(status=Subscription.Status.ENDED, ends_at__gt=now - LOOKED_BACK)
        .exclude(Exists(drafts_taking_late_usage().filter(subscription=OuterRef("pk"))))
        .select_related("customer", "plan_version__plan")
        .order_by("-ends_at", "-id")[:AT_MOST]
    )
    return found_of(ended, now)


def late_of(subscription: Subscription, *, now: datetime) -> LateAfterEnd | None:
    """Of one subscription, however long ago it ended; None where nothing waits."""
    is_ended = subscription.status == Subscription.Status.ENDED
    if not is_ended or drafts_taking_late_usage().filter(subscription=subscription).exists():
        return None
    return next(iter(found_of([subscription], now)), None)


def found_of(ended: Sequence[Subscription], now: datetime) -> list[LateAfterEnd]:
    found = []
    for one, compared in zip(ended, compared_of(ended, as_of=now), strict=True):
        try:
            lines = adjustments(*compared, one.plan_version.currency)
        except RatingError:
            # The others are shown all the same.
            log.exception("late usage of subscription %s can't be priced", one.pk)
            continue
        if lines:
            found.append(LateAfterEnd(one, lines))
    return found
