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
from apps.invoices.services.lines import ComputedLine, Segment, Treatment, Unpriced, prices_of
from apps.rating import Step, StepKind, exact_sum
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.timeline import Timeline

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
    """Price a cycle: its usage, its fees, the fees of the fee period that follows, and late usage of earlier ones.

    Of a period that is not over at `as_of`, time-weighted usage counts until then.
    A cycle during which the version changed is cut there: usage is split at that instant, fees are shared by
    time. Lines come in the order of time and of the plan's prices, adjustments last.
    """
    timeline = subscription.timeline()
    currency = subscription.plan_version.currency
    if kind == Invoice.Kind.OPENING:
        lines = opening_lines(timeline, period, currency)
        return ComputedInvoice(subscription, period, currency, lines, [])

    span = timeline.fee_span_at(period.start)
    full = timeline.fee_period_at(period.start)
    segments = [Segment.of(stage, full) for stage in timeline.usage_stages(period)]
    fee_segments = [Segment.of(stage, full) for stage in timeline.fee_stages(period)]
    following = upfront_segment(timeline, period.end)
    billed = billed_usage_of(subscription=subscription, before=period.start)
    late = late_segments(billed, timeline)
    known = [*segments, *late, *fee_segments, *([following] if following else [])]
    prices = prices_of({segment.version_id for segment in known})
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

    is_last = timeline.stops_at(period.end) or period.end >= span.end
    fees = fee_lines.arrears_lines(fee_segments, prices, currency) if is_last else []
    lines = [line for segment, line in fees if segment.period.end <= period.start]
    for one in shared[: len(segments)]:
        lines += segment_lines(subscription.customer_id, one, prices, fees, currency)
    amounts, fee_prices = billed_fees_of(
        subscription=subscription, cycle=period, fee_period=Period(span.start, full.end)
    )
    lines += fee_lines.advance_lines(
        segments=unshortened(fee_segments, timeline, period, span),
        prices=prices,
        billed=amounts,
        billed_prices=fee_prices,
        currency=currency,
    )
    if following is not None:
        lines += fee_lines.upfront_lines(following, prices[following.version_id], currency)
    lines += adjustments(subscription.customer_id, shared[len(segments) :], billed, currency)
    unpriced = [row for one in shared[: len(segments)] for row in one.unpriced]
    unpriced += late_unpriced(subscription, [row for one in shared[len(segments) :] for row in one.unpriced])
    return ComputedInvoice(subscription, period, currency, lines, unpriced)


def upfront_segment(timeline: Timeline, end: datetime) -> Segment | None:
    """The fee period that begins where a cycle ends, when there is one; None before the opening has billed."""
    if end == timeline.ends_at or timeline.opens_at is None or end <= timeline.opens_at:
        return None
    span = timeline.fee_span_at(end)
    if span.start != end:
        return None
    stage = replace(timeline.stage_at(end), start=span.start, end=span.end)
    return Segment.of(stage, timeline.fee_period_at(end))


def unshortened(segments: list[Segment], timeline: Timeline, period: Period, span: Period) -> list[Segment]:
    """Where nothing comes back, what is paid at the start is due as if the subscription went on."""
    if period.end != timeline.ends_at or not timeline.is_unused_paid:
        return segments
    last = segments[-1]
    return [*segments[:-1], replace(last, period=Period(last.period.start, span.end))]


def late_segments(billed: list[BilledUsage], timeline: Timeline) -> list[Segment]:
    """The segments that finalized invoices billed, to be looked at again. Fees are not, so they have no share."""
    found = sorted({(one.period_start, one.period_end, one.plan_version_id) for one in billed})
    return [
        Segment(
            version_id, Period(start, end), Period(start, end), treatment=timeline.stage_at(start).treatment
        )
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


def opening_lines(timeline: Timeline, period: Period, currency: str) -> list[ComputedLine]:
    """Fees that are due when a subscription starts, or when its trial is over."""
    # A change within the first cycle is known: the opening asks for what counts first, the cycle for the rest.
    cycle = Period(period.start, timeline.cycle_at(period.start).end)
    stage = next(one for one in timeline.fee_stages(cycle) if one.end is not None and one.end > period.start)
    segment = Segment.of(replace(stage, start=period.start), timeline.fee_period_at(period.start))
    if not segment.has_fees:
        return []
    lines = []
    for price in prices_of({segment.version_id})[segment.version_id]:
        if price.billing_timing == Timing.ONCE:
            lines.append(fee_lines.once_line(price, replace(segment, period=period), currency))
        elif price.billing_timing == Timing.ADVANCE:
            lines.append(fee_lines.arrears_line(price, segment, currency))
    return lines


def segment_lines(
    customer_id: int,
    shared: usage_lines.Shared,
    prices: dict[int, list[Price]],
    fees: list[tuple[Segment, ComputedLine]],
    currency: str,
) -> list[ComputedLine]:
    """Usage of a segment and the fees that end in it, in the plan's order."""
    segment = shared.segment
    taken = {one.price.pk: one for one in shared.taken}
    ending: dict[int, list[ComputedLine]] = {}
    for fee, line in fees:
        if segment.period.start < fee.period.end <= segment.period.end:
            ending.setdefault(line.price.pk, []).append(line)
    lines = []
    for price in prices[segment.version_id]:
        if price.pk in taken:
            line = usage_lines.usage_line(customer_id, taken[price.pk], currency)
            lines.append(free_of_charge(line) if segment.treatment == Treatment.TRIAL_ALL else line)
        lines += ending.pop(price.pk, [])
    return [*lines, *(line for rest in ending.values() for line in rest)]


def free_of_charge(line: ComputedLine) -> ComputedLine:
    """Rated, shown, and taken off again."""
    off = Step(StepKind.DISCOUNT, "free during the trial", amount=line.unrounded_amount.copy_negate())
    zero = Decimal(0)
    return replace(line, unrounded_amount=zero, amount=zero, steps=(*line.steps, off))


def adjustments(
    customer_id: int, shared: list[usage_lines.Shared], billed: list[BilledUsage], currency: str
) -> list[ComputedLine]:
    """A line for each price and period whose usage is not what was billed."""
    taken = {(one.price.pk, one.period): (one, part.segment) for part in shared for one in part.taken}
    lines = []
    for one in billed:
        now_taken, segment = taken[one.price_id, Period(one.period_start, one.period_end)]
        if (now_taken.quantity, now_taken.event_count) != (one.quantity, one.event_count):
            line = usage_lines.adjustment_line(customer_id, now_taken, one, currency)
            if segment.treatment == Treatment.TRIAL_ALL:
                line = free_of_charge(line)
            # An event that measured nothing changes the count alone, which is worth no line.
            if line.quantity or line.amount:
                lines.append(line)
    return lines
