"""Lines for metered usage: which price takes which part of it, and what that costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from apps.catalog.assign import Taker, taker_for, takers_of
from apps.catalog.models import Meter, Price
from apps.invoices.selectors import BilledUsage
from apps.invoices.services.lines import ComputedLine, Kind, Segment, Unpriced
from apps.invoices.services.taken import (
    Definitions,
    Piece,
    Rest,
    Shared,
    Sharing,
    Taken,
    add_levels,
    note_doubts,
    put_together,
    read_free_events,
    read_unit_prices,
)
from apps.invoices.services.team_shares import differences_of, free, shares_of
from apps.invoices.teams import Families, families_of, united
from apps.rating import AlreadyBilled, Step, StepKind, Usage, before_the_end, rate, rate_delta
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.periods import Period
from apps.usage.selectors import DimensionQuantity, Span, quantities_by_dimension_of


def share_out(
    sharings: Sequence[Sharing], *, prices: Mapping[int, list[Price]], as_of: datetime
) -> list[list[Shared]]:
    """For each, by segment: give each part of the usage to exactly one price. One statement for all segments of all
    subscriptions, so one snapshot; a few more where prices ask for more than sums. Levels last until `as_of`.

    All meters are looked at: usage that no price takes is unpriced, also when the version forgot its meter.
    """
    metered = {version_id: [one for one in rows if one.is_metered] for version_id, rows in prices.items()}
    meters = list(Meter.objects.values_list("pk", "code", "aggregation"))
    families = families_of({sharing.subscription.customer_id for sharing in sharings})
    asked = [
        (segment, families.spans_of(sharing.subscription.customer_id, segment.period))
        for sharing in sharings
        for segment in sharing.segments
    ]
    used = quantities_by_dimension_of(
        [span for _, spans in asked for span in spans_asked(spans)],
        {pk: aggregation for pk, _, aggregation in meters},
        as_of=as_of,
    )
    takers = {version_id: takers_by_meter(rows) for version_id, rows in metered.items()}
    definitions, totals, of_segment = Definitions(), iter(used), iter(asked)

    def share_one() -> Shared:
        segment, spans = next(of_segment)
        whole, *parts = (
            share_segment(segment, span, untaken(segment, metered, definitions), takers, next(totals))
            for span in spans_asked(spans)
        )
        return with_teams(whole, dict(zip(spans, parts, strict=True)) if parts else {})

    found = [[share_one() for _ in sharing.segments] for sharing in sharings]
    pieces = [(sharing, one) for sharing, parts in zip(sharings, found, strict=True) for one in parts]
    put_together(pieces, as_of)
    add_levels(pieces)
    note_doubts(pieces)
    read_unit_prices(pieces)
    read_free_events(pieces)
    note_unpriced(pieces, metered, {pk: code for pk, code, _ in meters}, families)
    return found


def spans_asked(spans: Mapping[int, Span]) -> list[Span]:
    """All as one, then each alone where there are several."""
    return [united(spans.values()), *spans.values()] if len(spans) > 1 else [*spans.values()]


def with_teams(whole: Shared, teams: dict[int, Shared]) -> Shared:
    """What each price takes of all, with what it takes of each."""
    for index, taken in enumerate(whole.taken):
        taken.teams = {customer_id: one.taken[index] for customer_id, one in teams.items()}
    return replace(whole, teams=teams)


def note_unpriced(
    pieces: Sequence[Piece],
    metered: Mapping[int, list[Price]],
    codes: Mapping[int, str],
    families: Families,
) -> None:
    """Of what no price takes, what is to be shown with the subscription."""
    if not pieces:
        return
    others = other_subscriptions(families.beside({sharing.subscription.customer_id for sharing, _ in pieces}))
    for sharing, one in pieces:
        own = {price.meter_id for version_id in sharing.version_ids for price in metered[version_id]}
        priced_here = {taken.price.meter_id for taken in one.taken}
        for part in [*one.teams.values()] or [one]:
            if not part.rest:
                continue
            user_id = part.span.customer_id
            is_team = user_id != sharing.subscription.customer_id
            # A team's usage may be another subscription's of its own, and a customer's one of who pays for it.
            payer_id = None if is_team else families.payer_of(user_id, one.segment.period)
            concerned = {sharing.subscription.customer_id, user_id} | ({payer_id} if payer_id else set())
            known = Others.of(sharing.subscription, concerned, others, one.segment.period)
            one.unpriced.extend(
                Unpriced(
                    meter_id,
                    codes[meter_id],
                    dimensions,
                    one.segment.period,
                    left.quantity,
                    left.event_count,
                    families.public_id_of(user_id) if is_team else "",
                )
                for meter_id, dimensions, left in part.rest
                if meter_id in priced_here or known.leave(meter_id, is_own=meter_id in own)
            )


@dataclass(frozen=True, slots=True)
class OtherRow:
    """A subscription with a meter that a version of it prices. One that ended has the usage of what it billed."""

    subscription_id: int
    meter_id: int | None
    started_at: datetime
    ended_at: datetime | None

    def has(self, period: Period) -> bool:
        return self.ended_at is None or (self.started_at <= period.start and period.end <= self.ended_at)


# By customer.
OtherRows = dict[int, list[OtherRow]]


@dataclass(frozen=True, slots=True)
class Others:
    """Other subscriptions of the customer, or of who pays, that run or had the whole of a period: the meters they bill
    or billed, and whether one is older.
    """

    meter_ids: set[int]
    has_older: bool

    @classmethod
    def of(
        cls, subscription: Subscription, customer_ids: set[int], rows: OtherRows, period: Period
    ) -> "Others":
        others = [
            row
            for one in customer_ids
            for row in rows.get(one, [])
            if row.subscription_id != subscription.pk and row.has(period)
        ]
        return cls(
            meter_ids={row.meter_id for row in others if row.meter_id is not None},
            has_older=any(row.subscription_id < subscription.pk for row in others),
        )

    def leave(self, meter_id: int, *, is_own: bool) -> bool:
        """Whether usage of a meter that the version doesn't price is to be shown with this subscription.

        What others bill is theirs. A meter that another version of the subscription prices is its own. What
        nobody prices is shown once, with the oldest.
        """
        return meter_id not in self.meter_ids and (is_own or not self.has_older)


def other_subscriptions(customer_ids: set[int]) -> OtherRows:
    rows = SubscriptionPhase.objects.filter(subscription__customer_id__in=customer_ids)
    found: OtherRows = {}
    for customer_id, subscription_id, meter_id, started_at, ends_at, status in rows.order_by().values_list(
        "subscription__customer_id",
        "subscription_id",
        "plan_version__prices__meter_id",
        "subscription__started_at",
        "subscription__ends_at",
        "subscription__status",
    ):
        ended_at = None if status == Subscription.Status.ACTIVE else ends_at
        found.setdefault(customer_id, []).append(OtherRow(subscription_id, meter_id, started_at, ended_at))
    return found


# By version and meter: the prices that may take its usage.
Takers = Mapping[int, Mapping[int, list[Taker]]]


def takers_by_meter(prices: Sequence[Price]) -> dict[int, list[Taker]]:
    meter_ids = {price.meter_id for price in prices if price.meter_id is not None}
    return {one: takers_of(price for price in prices if price.meter_id == one) for one in meter_ids}


def untaken(
    segment: Segment, metered: Mapping[int, list[Price]], definitions: Definitions
) -> dict[int, Taken]:
    """A price without usage is charged too: the customer sees that nothing was used."""
    return {
        price.pk: Taken(price, definitions, segment.period, Decimal(0), 0, [])
        for price in metered[segment.prices_key]
    }


def share_segment(
    segment: Segment,
    span: Span,
    taken: dict[int, Taken],
    takers: Takers,
    by_meter: dict[int, list[DimensionQuantity]],
) -> Shared:
    rest: list[Rest] = []
    for meter_id in sorted(by_meter):
        candidates = takers[segment.prices_key].get(meter_id, [])
        for one in by_meter[meter_id]:
            taker = taker_for(candidates, one.dimensions)
            if taker is not None:
                taken[taker.pk].add(one)
            else:
                rest.append((meter_id, one.dimensions, one.quantity))
    return Shared(segment, span, list(taken.values()), rest, [])


def usage_line(taken: Taken, currency: str, *, is_over: bool = True) -> ComputedLine:
    """Before its period `is_over` a price asks for no minimum and no true-up."""
    price = taken.price
    assert price.meter is not None
    definition = taken.definition if is_over else before_the_end(taken.definition)
    charge = rate(definition, usage_of(taken), currency=currency, unit=price.meter.unit)
    return ComputedLine(
        Kind.USAGE,
        price,
        price.name,
        taken.period,
        charge.quantity,
        taken.event_count,
        charge.unrounded_amount,
        charge.amount,
        charge.steps,
        shares_of(taken, charge.amount, currency),
    )


def adjustment_line(taken: Taken, billed: BilledUsage, currency: str) -> ComputedLine:
    """Late usage: the price of all usage of the period less what was billed for it, rounded cumulatively."""
    price = taken.price
    assert price.meter is not None
    charge = rate_delta(
        taken.definition,
        usage_of(taken),
        AlreadyBilled(quantity=billed.quantity, amount=billed.amount),
        currency=currency,
        unit=price.meter.unit,
    )
    return ComputedLine(
        Kind.ADJUSTMENT,
        price,
        f"{price.name}: late usage",
        taken.period,
        charge.quantity,
        taken.event_count - billed.event_count,
        charge.unrounded_amount,
        charge.amount,
        charge.steps,
        differences_of(taken, billed, charge.amount, currency),
    )


def free_of_charge(line: ComputedLine) -> ComputedLine:
    """Rated, shown, and taken off again."""
    off = Step(StepKind.DISCOUNT, "free during the trial", amount=line.unrounded_amount.copy_negate())
    zero = Decimal(0)
    return replace(
        line, unrounded_amount=zero, amount=zero, steps=(*line.steps, off), shares=free(line.shares)
    )


def usage_of(taken: Taken) -> Usage:
    """The totals, with events where the model asks for them."""
    return Usage(quantity=taken.quantity, event_count=taken.event_count, events=taken.events)
