"""Late usage: price(all usage) − price(billed usage) for each price and period that was billed."""

from collections.abc import Sequence
from datetime import datetime

from apps.invoices.selectors import FOREVER, BilledUsage, billed_usage_of
from apps.invoices.services import usage_lines
from apps.invoices.services.cycles import late_segments
from apps.invoices.services.lines import ComputedLine, Treatment, prices_of
from apps.invoices.services.taken import Shared, Sharing, numbers_by_price, numbers_of
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.selectors import timelines_of

# What is used now of the periods that were billed, and what was billed for them.
Compared = tuple[list[Shared], list[BilledUsage]]


def compared_of(subscriptions: Sequence[Subscription], *, as_of: datetime) -> list[Compared]:
    """For each subscription, over its whole life; nothing for one with a draft that will take its late usage.

    A fixed number of queries.
    """
    if not subscriptions:
        return []
    timelines = timelines_of(subscriptions)
    billed = billed_usage_of([(one.pk, FOREVER) for one in subscriptions])
    segments = [
        late_segments(rows, timelines[one.pk]) for one, rows in zip(subscriptions, billed, strict=True)
    ]
    prices = prices_of({segment.version_id for rows in segments for segment in rows})
    sharings = [
        Sharing(one, parts, {segment.version_id for segment in parts}, numbers_by_price(rows))
        for one, parts, rows in zip(subscriptions, segments, billed, strict=True)
    ]
    shared = usage_lines.share_out(sharings, prices=prices, as_of=as_of)
    return list(zip(shared, billed, strict=True))


def adjustments(shared: list[Shared], billed: list[BilledUsage], currency: str) -> list[ComputedLine]:
    """A line for each price and period whose usage is not what was billed, be it one team's that is another's now."""
    taken = {(one.price.pk, one.period): (one, part.segment) for part in shared for one in part.taken}
    lines = []
    for one in billed:
        now_taken, segment = taken[one.price_id, Period(one.period_start, one.period_end)]
        if now_taken.is_in_doubt or now_taken.numbers != numbers_of(one):
            line = usage_lines.adjustment_line(now_taken, one, currency)
            if segment.treatment == Treatment.TRIAL_ALL:
                line = usage_lines.free_of_charge(line)
            # An event that measured nothing changes the count alone, which is worth no line.
            if line.quantity or line.amount or any(share.quantity or share.amount for share in line.shares):
                lines.append(line)
    return lines
