"""What a subscription owes for a period. Previews, drafts and finalized invoices all come from here.

An invoice is a function of events, price versions, subscription timeline and the instant usage was read. Usage
is read in one statement, so that the totals of one invoice are of one snapshot.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from apps.catalog.models import Price
from apps.invoices.models import Invoice
from apps.invoices.selectors import (
    BilledUsage,
    billed_fees_of,
    billed_usage_of,
    unpriced_key,
    unpriced_known_of,
)
from apps.invoices.services import fee_lines, usage_lines
from apps.invoices.services.lines import ComputedLine, Segment, Unpriced, prices_of
from apps.rating import exact_sum
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.periods import Period

Timing = Price.Timing


@dataclass(frozen=True, slots=True)
class ComputedInvoice:
    """Amounts in `currency`, rounded at the lines; `total` is their sum."""

    subscription: Subscription
    period: Period
    currency: str
    lines: list[ComputedLine]
    unpriced: list[Unpriced]

    @property
    def total(self) -> Decimal:
        return exact_sum(line.amount for line in self.lines)


def compute_invoice(
    *, subscription: Subscription, period: Period, as_of: datetime, kind: str = Invoice.Kind.CYCLE
) -> ComputedInvoice:
    """Price a period: its usage, its fees, the fees at the start of the next one, and late usage of earlier ones.

    Of a period that is not over at `as_of`, time-weighted usage counts until then.
    A period during which the version changed is cut there: usage is split at that instant, fees are shared by
    time. Lines come in the order of time and of the plan's prices, adjustments last.
    """
    phases = list(subscription.phases.order_by("starts_at"))
    currency = subscription.plan_version.currency
    segments = cut(phases, period, subscription.full_period_of(period))
    if kind == Invoice.Kind.OPENING:
        lines = opening_lines(segments[0], currency)
        return ComputedInvoice(subscription, period, currency, lines, [])

    following = subscription.schedule.full_period_at(period.end)
    next_segments = cut(phases, following, following)
    billed = billed_usage_of(subscription=subscription, before=period.start)
    late = late_segments(billed, subscription)
    version_ids = {segment.version_id for segment in (*segments, *late, next_segments[0])}
    prices = prices_of(version_ids)
    shared = usage_lines.share_out(
        subscription=subscription,
        segments=[*segments, *late],
        prices=prices,
        billed={
            (one.price_id, Period(one.period_start, one.period_end)): (one.quantity, one.event_count)
            for one in billed
        },
        as_of=as_of,
    )

    lines = [
        line
        for one in shared[: len(segments)]
        for line in segment_lines(subscription.customer_id, one, prices[one.segment.version_id], currency)
    ]
    fees, fee_prices = billed_fees_of(subscription=subscription, period=period)
    lines += fee_lines.advance_lines(
        segments=segments, prices=prices, billed=fees, billed_prices=fee_prices, currency=currency
    )
    upfront = Segment(next_segments[0].version_id, following, following)
    lines += [
        fee_lines.arrears_line(price, upfront, currency)
        for price in prices[upfront.version_id]
        if price.billing_timing == Timing.ADVANCE
    ]
    lines += adjustments(subscription.customer_id, shared[len(segments) :], billed, currency)
    unpriced = [row for one in shared[: len(segments)] for row in one.unpriced]
    unpriced += late_unpriced(subscription, [row for one in shared[len(segments) :] for row in one.unpriced])
    return ComputedInvoice(subscription, period, currency, lines, unpriced)


def cut(phases: list[SubscriptionPhase], period: Period, full: Period) -> list[Segment]:
    """The parts of a period by the version that counts in them. They tile it."""
    segments = []
    for phase in phases:
        start = max(phase.starts_at, period.start)
        end = period.end if phase.ends_at is None else min(phase.ends_at, period.end)
        if start < end:
            segments.append(Segment(phase.plan_version_id, Period(start, end), full))
    assert segments, "a subscription's phases cover its life"
    return segments


def late_segments(billed: list[BilledUsage], subscription: Subscription) -> list[Segment]:
    """The segments that finalized invoices billed, to be looked at again."""
    found = sorted({(one.period_start, one.period_end, one.plan_version_id) for one in billed})
    return [
        Segment(version_id, Period(start, end), subscription.full_period_of(Period(start, end)))
        for start, end, version_id in found
    ]


def late_unpriced(subscription: Subscription, rows: list[Unpriced]) -> list[Unpriced]:
    """What of the usage that no price took in earlier periods stands on no finalized invoice yet."""
    if not rows:
        return []
    known = unpriced_known_of(subscription)
    found = []
    for row in rows:
        quantity, event_count = known.get(
            unpriced_key(row.meter_code, row.dimensions, row.period), (Decimal(0), 0)
        )
        if event_count < row.event_count:
            left = exact_sum([row.quantity, quantity.copy_negate()])
            found.append(replace(row, quantity=left, event_count=row.event_count - event_count))
    return found


def opening_lines(segment: Segment, currency: str) -> list[ComputedLine]:
    """Fees that are due when a subscription starts."""
    prices = prices_of({segment.version_id})[segment.version_id]
    lines = []
    for price in prices:
        if price.billing_timing == Timing.ONCE:
            lines.append(fee_lines.once_line(price, segment.period, currency))
        elif price.billing_timing == Timing.ADVANCE:
            lines.append(fee_lines.arrears_line(price, segment, currency))
    return lines


def segment_lines(
    customer_id: int, shared: usage_lines.Shared, prices: list[Price], currency: str
) -> list[ComputedLine]:
    """Usage and fees at the end of a segment, in the plan's order."""
    taken = {one.price.pk: one for one in shared.taken}
    lines = []
    for price in prices:
        if price.pk in taken:
            lines.append(usage_lines.usage_line(customer_id, taken[price.pk], currency))
        elif price.billing_timing == Timing.ARREARS:
            lines.append(fee_lines.arrears_line(price, shared.segment, currency))
    return lines


def adjustments(
    customer_id: int, shared: list[usage_lines.Shared], billed: list[BilledUsage], currency: str
) -> list[ComputedLine]:
    """A line for each price and period whose usage is not what was billed."""
    taken = {(one.price.pk, one.period): one for part in shared for one in part.taken}
    lines = []
    for one in billed:
        now_taken = taken[one.price_id, Period(one.period_start, one.period_end)]
        if (now_taken.quantity, now_taken.event_count) != (one.quantity, one.event_count):
            line = usage_lines.adjustment_line(customer_id, now_taken, one, currency)
            # An event that measured nothing changes the count alone, which is worth no line.
            if line.quantity or line.amount:
                lines.append(line)
    return lines
