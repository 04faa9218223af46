"""Threshold invoices: usage since the start of a cycle, less what earlier ones of the cycle charged for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.catalog.models import Price
from apps.invoices.billed_ahead import AheadQuestion, BilledAhead, billed_ahead_of
from apps.invoices.services import usage_lines
from apps.invoices.services.cycles import Asked
from apps.invoices.services.lines import (
    ComputedLine,
    Kind,
    Segment,
    Share,
    Treatment,
    Unpriced,
    prices_by_id,
    prices_of,
)
from apps.invoices.services.taken import Shared, Sharing
from apps.rating import Step, StepKind
from apps.subscriptions.periods import Period
from apps.subscriptions.timeline import Timeline

NAMED = 5


@dataclass(frozen=True, slots=True)
class Interim:
    """A cycle until an instant before its end. `asked.period` begins with the cycle and ends at that instant."""

    asked: Asked
    segments: list[Segment]

    @property
    def version_ids(self) -> set[int]:
        return {one.version_id for one in self.segments}

    @property
    def sharing(self) -> Sharing:
        return Sharing(self.asked.subscription, self.segments, self.version_ids, {})

    @property
    def question(self) -> AheadQuestion:
        """Its own draft is the only one of the cycle, and charges nothing that it could take off itself."""
        return AheadQuestion((self.asked.subscription.pk, self.asked.period.start), with_drafts=False)


Found = tuple[Asked, list[ComputedLine], list[Unpriced]]


def cut_interims(asked: Sequence[Asked], timelines: Mapping[int, Timeline]) -> list[Interim]:
    return [cut_interim(one, timelines[one.subscription.pk]) for one in asked]


def cut_interim(asked: Asked, timeline: Timeline) -> Interim:
    """Of a cycle that was cut short since, no more than is left of it."""
    start, end = asked.period.start, asked.period.end
    cycle = timeline.cycle_at(start)
    stages = timeline.usage_stages(Period(start, min(end, cycle.end)))
    full = timeline.fee_period_at(start)
    return Interim(asked, [Segment.of(stage, full) for stage in stages])


def compute_interims(interims: Sequence[Interim], as_of: datetime) -> list[Found]:
    """Usage lines in full and what is taken off; no fees, no late usage of earlier cycles. And what is unpriced."""
    if not interims:
        return []
    prices = prices_of({version_id for one in interims for version_id in one.version_ids})
    shared = usage_lines.share_out([one.sharing for one in interims], prices=prices, as_of=as_of)
    ahead = billed_ahead_of([one.question for one in interims])
    known = {price.pk: price for rows in prices.values() for price in rows}
    # Some counted when a threshold was reached, and count no more.
    known |= prices_by_id({one.price_id for rows in ahead.values() for one in rows} - set(known))
    return [
        (
            one.asked,
            [
                *(line for part in parts for line in used_lines(part, prices, one.asked)),
                *ahead_lines(one.asked.period, ahead[one.question], known),
            ],
            [row for part in parts for row in part.unpriced],
        )
        for one, parts in zip(interims, shared, strict=True)
    ]


def used_lines(shared: Shared, prices: Mapping[int, list[Price]], asked: Asked) -> list[ComputedLine]:
    """Of what was used. A price without usage is told of at the end of the cycle."""
    used = {one.price.pk: one for one in shared.taken if one.event_count or one.quantity}
    lines = [
        usage_lines.usage_line(used[price.pk], asked.currency, is_over=False)
        for price in prices[shared.segment.version_id]
        if price.pk in used
    ]
    is_free = shared.segment.treatment == Treatment.TRIAL_ALL
    return [usage_lines.free_of_charge(line) for line in lines] if is_free else lines


def ahead_lines(period: Period, billed: list[BilledAhead], known: Mapping[int, Price]) -> list[ComputedLine]:
    """What is taken off, a line for each price, also for one that counts no more: what it charged comes back so."""
    ordered = sorted(billed, key=lambda one: place_of(known[one.price_id]))
    return [ahead_line(period, one, known[one.price_id]) for one in ordered if one.amount]


def place_of(price: Price) -> tuple[int, int, int]:
    return price.plan_version_id, price.position, price.pk


def ahead_line(period: Period, billed: BilledAhead, price: Price) -> ComputedLine:
    """Teams have of it what they had of the lines that it takes off, so that theirs add up over a cycle as well."""
    amount = billed.amount.copy_negate()
    step = Step(StepKind.ALREADY_BILLED, f"billed on {names_of(billed)}", amount=amount)
    shares = tuple(
        Share(customer_id, one.quantity.copy_negate(), -one.event_count, one.amount.copy_negate())
        for customer_id, one in sorted(billed.teams.items())
    )
    return ComputedLine(
        Kind.BILLED_AHEAD,
        price,
        f"{price.name}: billed ahead",
        period,
        None,
        None,
        amount,
        amount,
        (step,),
        shares,
    )


def names_of(billed: BilledAhead) -> str:
    names = [*billed.numbers[-NAMED:], *(["a draft"] if billed.has_draft else [])]
    left = len(billed.numbers) - NAMED
    shown = ", ".join(names)
    return f"{left} more and {shown}" if left > 0 else shown
