"""How a subscription's timeline cuts what is billed: the segments of a cycle, of its fees, and of late usage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from apps.invoices.billed_ahead import AheadQuestion
from apps.invoices.models import Invoice
from apps.invoices.selectors import BilledUsage, FeeQuestion, billed_usage_of
from apps.invoices.services.lines import Segment, Treatment
from apps.invoices.services.taken import Sharing, numbers_by_price
from apps.subscriptions import attached
from apps.subscriptions.attached import Beginning
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.timeline import MICROSECOND, Timeline


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be computed: a cycle of a subscription, one until its usage reached a threshold, its opening, or a
    one-off charge by the instant it begins.
    """

    subscription: Subscription
    period: Period
    kind: str = Invoice.Kind.CYCLE

    @property
    def currency(self) -> str:
        return self.subscription.plan_version.currency


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle as the timeline cuts it, and the earlier periods that are looked at again."""

    asked: Asked
    timeline: Timeline
    span: Period
    full: Period
    segments: list[Segment]
    fee_segments: list[Segment]
    following: list[Segment]
    beginnings: list[Beginning]
    former: list[Segment]
    billed: list[BilledUsage]
    late: list[Segment]

    @property
    def period(self) -> Period:
        return self.asked.period

    @property
    def currency(self) -> str:
        return self.asked.currency

    @property
    def version_ids(self) -> set[int]:
        known = [*self.segments, *self.late, *self.fee_segments, *self.former, *self.following]
        return {one.version_id for one in known} | {one.add_on.version_id for one in self.beginnings}

    @property
    def is_last(self) -> bool:
        """Whether fees at the end are due with it."""
        return self.timeline.stops_at(self.period.end) or self.period.end >= self.span.end

    @property
    def is_moment(self) -> bool:
        """Cancelled where it is billed already, a subscription ends a moment later. What is used at that instant is
        used after its end: it is not billed, whenever it comes, and no minimum is asked for.
        """
        return self.period.end == self.timeline.ends_at and self.period.end - self.period.start <= MICROSECOND

    @property
    def fee_question(self) -> FeeQuestion:
        end = self.period.end
        is_cut = end != self.timeline.ends_at and self.timeline.stops_at(end) and end < self.span.end
        fee_period = Period(self.span.start, self.full.end)
        is_final = end == self.timeline.ends_at and not self.timeline.is_unused_paid
        return FeeQuestion(
            self.asked.subscription.pk, self.period, fee_period, end if is_cut else None, is_final
        )

    @property
    def former_question(self) -> FeeQuestion | None:
        if not self.former:
            return None
        fee_period = Period(self.former[0].period.start, self.period.start)
        return FeeQuestion(self.asked.subscription.pk, self.period, fee_period)

    @property
    def fee_questions(self) -> list[FeeQuestion]:
        former = self.former_question
        return [self.fee_question] if former is None else [self.fee_question, former]

    @property
    def ahead_question(self) -> AheadQuestion:
        return AheadQuestion((self.asked.subscription.pk, self.period.start), with_drafts=True)

    @property
    def sharing(self) -> Sharing:
        segments = [*self.segments, *self.late]
        return Sharing(self.asked.subscription, segments, self.version_ids, numbers_by_price(self.billed))


def cut_cycles(asked: Sequence[Asked], timelines: Mapping[int, Timeline]) -> list[Cycle]:
    billed = billed_usage_of([(one.subscription.pk, one.period.start) for one in asked]) if asked else []
    return [
        cut_cycle(one, timelines[one.subscription.pk], rows) for one, rows in zip(asked, billed, strict=True)
    ]


def cut_cycle(asked: Asked, timeline: Timeline, billed: list[BilledUsage]) -> Cycle:
    period = asked.period
    full = timeline.fee_period_at(period.start)
    return Cycle(
        asked=asked,
        timeline=timeline,
        span=timeline.fee_span_at(period.start),
        full=full,
        segments=[Segment.of(stage, full) for stage in timeline.usage_stages(period)],
        fee_segments=fee_segments(timeline, period),
        following=upfront_segments(timeline, period.end),
        beginnings=attached.beginnings(timeline, period),
        former=former_segments(timeline, period.start),
        billed=billed,
        late=late_segments(billed, timeline),
    )


def upfront_segments(timeline: Timeline, end: datetime) -> list[Segment]:
    """The fee period that begins where a cycle ends, when there is one; none before the opening has billed.

    One for the plan, and one for each add-on that is attached then.
    """
    if end == timeline.ends_at or timeline.opens_at is None or end <= timeline.opens_at:
        return []
    span = timeline.fee_span_at(end)
    if span.start != end:
        return []
    stage = replace(timeline.stage_at(end), start=span.start, end=span.end)
    full = timeline.fee_period_at(end)
    stages = [stage, *(attached.on(one, stage) for one in attached.counting_at(timeline, end))]
    return [Segment.of(one, full) for one in stages]


def former_segments(timeline: Timeline, start: datetime) -> list[Segment]:
    """The fee period that a new schedule cuts off where a cycle starts; none where it ends there by itself.

    A new schedule may begin exactly where the cycles before it are billed already, as if theirs went on. Then
    nobody but the first cycle after them can settle what their fees still lack, or give back what is unused.
    """
    last = timeline.last_cycle_before(start)
    if last is None or timeline.fee_span_at(last.start).end == start:
        return []
    return fee_segments(timeline, last)


def fee_segments(timeline: Timeline, cycle: Period) -> list[Segment]:
    """Those of the plan, and then those of add-ons.

    All counted in the zone of the cycle: days add up to those of the whole only where each lies in one zone.
    """
    full = timeline.fee_period_at(cycle.start)
    zone = timeline.stage_at(cycle.start).basis.time_zone
    stages = [*timeline.fee_stages(cycle), *attached.fee_stages(timeline, cycle)]
    return [replace(Segment.of(stage, full), time_zone=zone) for stage in stages]


def unshortened(segments: list[Segment], timeline: Timeline, period: Period, span: Period) -> list[Segment]:
    """Where nothing comes back, what is paid at the start is due as if the subscription went on."""
    if period.end != timeline.ends_at or not timeline.is_unused_paid:
        return segments
    return [
        replace(one, period=Period(one.period.start, span.end)) if one.period.end == period.end else one
        for one in segments
    ]


def late_segments(billed: list[BilledUsage], timeline: Timeline) -> list[Segment]:
    """The segments that finalized invoices billed, to be looked at again. Fees are not, so they have no share."""
    found = sorted({(one.period_start, one.period_end, one.plan_version_id) for one in billed})
    return [
        Segment(
            version_id, Period(start, end), Period(start, end), treatment=timeline.stage_at(start).treatment
        )
        for start, end, version_id in found
    ]


def opening_segments(timeline: Timeline, period: Period) -> list[Segment]:
    """Of the plan, and of the add-ons that are attached from the first."""
    if timeline.ends_at is not None and timeline.ends_at <= period.start:
        # It ended before it opened: nothing is asked for.
        version_id = timeline.stages[-1].version_id
        return [Segment(version_id, period, period, treatment=Treatment.PAUSED)]
    # A change within the first cycle is known: the opening asks for what counts first, the cycle for the rest.
    cycle = Period(period.start, timeline.cycle_at(period.start).end)
    full = timeline.fee_period_at(period.start)
    first = [one for one in timeline.fee_stages(cycle) if one.end is not None and one.end > period.start][:1]
    first += [
        one
        for one in attached.fee_stages(timeline, cycle)
        if one.start <= period.start and one.end is not None and one.end > period.start
    ]
    return [Segment.of(replace(stage, start=period.start), full) for stage in first]
