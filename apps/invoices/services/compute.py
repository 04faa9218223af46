"""What a subscription owes for a period. Previews, drafts and finalized invoices all come from here.

An invoice is a function of events, price versions, subscription timeline and the instant usage was read. Usage
is read in one statement, so that the totals of one invoice are of one snapshot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db.models import prefetch_related_objects

from apps.catalog.models import Price
from apps.invoices.billed_ahead import BilledAhead, billed_ahead_of
from apps.invoices.models import Invoice
from apps.invoices.selectors import (
    FeeQuestion,
    UnpricedKnown,
    billed_fees_of,
    unpriced_key,
    unpriced_known_of,
)
from apps.invoices.services import fee_lines, usage_lines
from apps.invoices.services.cycles import Asked, Cycle, cut_cycles, opening_segments, unshortened
from apps.invoices.services.fee_lines import advance_lines, arrears_lines
from apps.invoices.services.interim import ahead_lines, compute_interims, cut_interims
from apps.invoices.services.late_lines import adjustments, compared_of
from apps.invoices.services.lines import (
    ComputedLine,
    Segment,
    Treatment,
    Unpriced,
    prices_by_id,
    prices_of,
)
from apps.invoices.services.once_lines import Wanted, once_lines
from apps.invoices.services.one_off_lines import one_off_lines
from apps.invoices.services.taken import Shared
from apps.rating import exact_sum
from apps.subscriptions.attached import beginnings
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.selectors import timelines_of
from apps.subscriptions.timeline import MICROSECOND, Timeline

Timing = Price.Timing
Prices = Mapping[int, list[Price]]
BilledFees = Mapping[FeeQuestion, Mapping[int, Decimal]]


@dataclass(frozen=True, slots=True)
class ComputedInvoice:
    """Amounts in `currency`, rounded at the lines; `total` is their sum."""

    subscription: Subscription
    period: Period
    currency: str
    lines: list[ComputedLine]
    unpriced: list[Unpriced]
    kind: str = Invoice.Kind.CYCLE

    @property
    def total(self) -> Decimal:
        return exact_sum(line.amount for line in self.lines)


def compute_invoice(
    *, subscription: Subscription, period: Period, as_of: datetime, kind: str = Invoice.Kind.CYCLE
) -> ComputedInvoice:
    """One of them; see `compute_invoices`."""
    return compute_invoices([Asked(subscription, period, kind)], as_of=as_of)[0]


def compute_invoices(
    asked: Sequence[Asked], *, as_of: datetime, timelines: Mapping[int, Timeline] | None = None
) -> list[ComputedInvoice]:
    """Price cycles: usage, fees, the fees of the fee period that follows, late usage of earlier ones, one-off
    charges; what of cycles is used so far; and openings, and charges alone.

    All of them together, with a number of queries that does not depend on how many there are. Of a period that is
    not over at `as_of`, time-weighted usage counts until then. A cycle during which the version changed is cut there:
    usage is split at that instant, fees are shared by time. Lines come in the order of time and of the plan's
    prices, then what threshold invoices of the cycle charged ahead, adjustments and one-off charges.
    """
    if timelines is None:
        timelines = timelines_of(one.subscription for one in asked)
    prefetch_related_objects([one.subscription for one in asked], "plan_version")
    cycles = cut_cycles([one for one in asked if one.kind == Invoice.Kind.CYCLE], timelines)
    interims = cut_interims([one for one in asked if one.kind == Invoice.Kind.THRESHOLD], timelines)
    openings = [(one, timelines[one.subscription.pk]) for one in asked if one.kind == Invoice.Kind.OPENING]
    late = [one for one in asked if one.kind == Invoice.Kind.LATE]
    computed = compute_cycles(cycles, as_of) + compute_openings(openings) + compute_late(late, as_of)
    computed += [
        ComputedInvoice(one.subscription, one.period, one.currency, lines, unpriced, one.kind)
        for one, lines, unpriced in compute_interims(interims, as_of)
    ]
    by_question = {(one.subscription.pk, one.period, one.kind): one for one in computed}
    return [
        with_charges(by_question.get((one.subscription.pk, one.period, one.kind)), one, charges)
        for one, charges in zip(asked, one_off_lines(asked, timelines), strict=True)
    ]


def with_charges(
    computed: ComputedInvoice | None, asked: Asked, charges: list[ComputedLine]
) -> ComputedInvoice:
    """What a plan asks for comes first. An invoice of a charge alone has nothing else."""
    if computed is None:
        currency = asked.subscription.plan_version.currency
        return ComputedInvoice(asked.subscription, asked.period, currency, charges, [], asked.kind)
    return replace(computed, lines=[*computed.lines, *charges])


def compute_cycles(cycles: Sequence[Cycle], as_of: datetime) -> list[ComputedInvoice]:
    if not cycles:
        return []
    prices = prices_of({version_id for cycle in cycles for version_id in cycle.version_ids})
    shared = usage_lines.share_out([one.sharing for one in cycles], prices=prices, as_of=as_of)
    fees = billed_fees_of([question for one in cycles for question in one.fee_questions])
    known = {price.pk: price for rows in prices.values() for price in rows}
    ahead = billed_ahead_of([one.ahead_question for one in cycles])
    billed_before = {price_id for amounts in fees.values() for price_id in amounts}
    billed_before |= {one.price_id for rows in ahead.values() for one in rows}
    known |= prices_by_id(billed_before - set(known))
    late = [parts[len(cycle.segments) :] for cycle, parts in zip(cycles, shared, strict=True)]
    unpriced_known = unpriced_known_of(
        {
            cycle.asked.subscription.pk
            for cycle, parts in zip(cycles, late, strict=True)
            if any(part.unpriced for part in parts)
        }
    )
    once = once_lines([Wanted(one.asked, one.beginnings) for one in cycles], prices)
    return [
        assembled(
            cycle, parts, once=lines, billed_fees=fees, ahead=ahead[cycle.ahead_question], prices=prices,
            known=known, unpriced_known=unpriced_known,
        )
        for cycle, parts, lines in zip(cycles, shared, once, strict=True)
    ]  # fmt: skip


def compute_late(asked: Sequence[Asked], as_of: datetime) -> list[ComputedInvoice]:
    """After the end: what came too late for the last invoice, and nothing else."""
    found = []
    compared = compared_of([one.subscription for one in asked], as_of=as_of)
    unpriced = [[row for part in shared for row in part.unpriced] for shared, _ in compared]
    known = unpriced_known_of(
        {one.subscription.pk for one, rows in zip(asked, unpriced, strict=True) if rows}
    )
    for one, (shared, billed), rows in zip(asked, compared, unpriced, strict=True):
        currency = one.currency
        lines = adjustments(shared, billed, currency)
        left = late_unpriced(known.get(one.subscription.pk, {}), rows)
        found.append(ComputedInvoice(one.subscription, one.period, currency, lines, left, one.kind))
    return found


def assembled(
    cycle: Cycle,
    shared: list[Shared],
    *,
    once: list[ComputedLine],
    billed_fees: BilledFees,
    ahead: list[BilledAhead],
    prices: Prices,
    known: Mapping[int, Price],
    unpriced_known: Mapping[int, UnpricedKnown],
) -> ComputedInvoice:
    """The lines of one cycle in their order. No question is asked any more."""
    period, currency = cycle.period, cycle.currency
    own, late = shared[: len(cycle.segments)], shared[len(cycle.segments) :]
    billed = billed_fees[cycle.fee_question]
    fees = arrears_lines(cycle.fee_segments, prices, billed, known, currency) if cycle.is_last else []
    lines = former_lines(cycle, prices, billed_fees, known)
    lines += [line for segment, line in fees if segment.period.end <= period.start]
    for one in own:
        lines += segment_lines(one, prices, fees, currency, has_usage=not cycle.is_moment)
    lines += ahead_lines(period, ahead, known)
    due = unshortened(cycle.fee_segments, cycle.timeline, period, cycle.span)
    lines += advance_lines(due, prices, billed, known, currency)
    lines += once
    for following in cycle.following:
        lines += fee_lines.upfront_lines(following, prices[following.version_id], currency)
    lines += adjustments(late, cycle.billed, currency)
    unpriced = [row for one in own for row in one.unpriced]
    unpriced += late_unpriced(
        unpriced_known.get(cycle.asked.subscription.pk, {}), [row for one in late for row in one.unpriced]
    )
    return ComputedInvoice(cycle.asked.subscription, period, currency, lines, unpriced)


def former_lines(
    cycle: Cycle, prices: Prices, billed_fees: BilledFees, known: Mapping[int, Price]
) -> list[ComputedLine]:
    """What the fees of a schedule that was cut off where the cycle starts still lack, or give back."""
    question = cycle.former_question
    if question is None:
        return []
    asked = cycle.former, prices, billed_fees[question], known, cycle.currency
    return [*(line for _, line in arrears_lines(*asked)), *advance_lines(*asked)]


def late_unpriced(known: UnpricedKnown, rows: list[Unpriced]) -> list[Unpriced]:
    """What of the usage that no price took in earlier periods stands on no finalized invoice yet."""
    found = []
    for row in rows:
        quantity, event_count = known.get(
            unpriced_key(row.meter_code, row.dimensions, row.period, row.team), (Decimal(0), 0)
        )
        if event_count < row.event_count:
            left = exact_sum([row.quantity, quantity.copy_negate()])
            found.append(replace(row, quantity=left, event_count=row.event_count - event_count))
    return found


def compute_openings(asked: Sequence[tuple[Asked, Timeline]]) -> list[ComputedInvoice]:
    """Fees that are due when a subscription starts, or when its trial is over."""
    if not asked:
        return []
    segments = [opening_segments(timeline, one.period) for one, timeline in asked]
    prices = prices_of({segment.version_id for rows in segments for segment in rows})
    first = [
        Wanted(one, beginnings(timeline, Period(one.period.start, one.period.start + MICROSECOND)))
        for one, timeline in asked
    ]
    return [
        opening(one, rows, once, prices, is_over=is_over_at(timeline, one.period.start))
        for (one, timeline), rows, once in zip(asked, segments, once_lines(first, prices), strict=True)
    ]


def is_over_at(timeline: Timeline, instant: datetime) -> bool:
    return timeline.ends_at is not None and timeline.ends_at <= instant


def opening(
    asked: Asked, segments: list[Segment], once: list[ComputedLine], prices: Prices, *, is_over: bool
) -> ComputedInvoice:
    """The plan's fees, and then those of the add-ons.

    What the plan asks for once is asked for here or never, also when somebody has dated a pause back before it.
    """
    currency = asked.subscription.plan_version.currency
    lines = []
    for index, segment in enumerate(segments):
        for price in prices[segment.version_id]:
            if price.billing_timing == Timing.ONCE and not index and not is_over:
                lines.append(fee_lines.once_line(price, replace(segment, period=asked.period), currency))
            elif price.billing_timing == Timing.ADVANCE and segment.has_fees:
                lines.append(fee_lines.arrears_line(price, segment, currency))
    lines += once
    return ComputedInvoice(asked.subscription, asked.period, currency, lines, [], Invoice.Kind.OPENING)


def segment_lines(
    shared: Shared,
    prices: Prices,
    fees: list[tuple[Segment, ComputedLine]],
    currency: str,
    *,
    has_usage: bool,
) -> list[ComputedLine]:
    """Usage of a segment and the fees that end in it, in the plan's order."""
    segment = shared.segment
    taken = {one.price.pk: one for one in shared.taken} if has_usage else {}
    ending: dict[int, list[ComputedLine]] = {}
    for fee, line in fees:
        if segment.period.start < fee.period.end <= segment.period.end:
            assert line.price is not None
            ending.setdefault(line.price.pk, []).append(line)
    lines = []
    for price in prices[segment.version_id]:
        if price.pk in taken:
            line = usage_lines.usage_line(taken[price.pk], currency)
            lines.append(
                usage_lines.free_of_charge(line) if segment.treatment == Treatment.TRIAL_ALL else line
            )
        lines += ending.pop(price.pk, [])
    return [*lines, *(line for rest in ending.values() for line in rest)]
