"""Usage that came after the last invoice of a subscription that has ended: no next invoice will take it.

It is priced as an adjustment would be, price(all usage) − price(billed usage), and shown to staff, who decide.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from apps.invoices.selectors import FOREVER, billed_usage_of
from apps.invoices.services import usage_lines
from apps.invoices.services.compute import adjustments
from apps.invoices.services.cycles import late_segments
from apps.invoices.services.lines import ComputedLine, prices_of
from apps.invoices.services.taken import Sharing, numbers_by_price
from apps.rating import RatingError, exact_sum
from apps.subscriptions.models import Subscription
from apps.subscriptions.selectors import timelines_of

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
        .select_related("customer", "plan_version__plan")
        .order_by("-ends_at", "-id")[:AT_MOST]
    )
    if not ended:
        return []
    timelines = timelines_of(ended)
    billed = billed_usage_of([(one.pk, FOREVER) for one in ended])
    segments = [late_segments(rows, timelines[one.pk]) for one, rows in zip(ended, billed, strict=True)]
    prices = prices_of({segment.version_id for rows in segments for segment in rows})
    sharings = [
        Sharing(
            one,
            parts,
            {segment.version_id for segment in parts},
            numbers_by_price(rows),
        )
        for one, parts, rows in zip(ended, segments, billed, strict=True)
    ]
    shared = usage_lines.share_out(sharings, prices=prices, as_of=now)
    found = []
    for one, parts, rows in zip(ended, shared, billed, strict=True):
        try:
            lines = adjustments(parts, rows, one.plan_version.currency)
        except RatingError:
            # The others are shown all the same.
            log.exception("late usage of subscription %s can't be priced", one.pk)
            continue
        if lines:
            found.append(LateAfterEnd(one, lines))
    return found
