"""What each price takes of the usage of a segment, and the events of it that its model asks for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, Context, Decimal, localcontext

from apps.catalog.definitions import definition_of
from apps.catalog.models import Meter, Price
from apps.invoices.selectors import BilledShare, BilledUsage
from apps.invoices.services.lines import Segment, Unpriced
from apps.rating import Event, Percentage, exact_sum
from apps.rating import Price as Definition
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.usage.selectors import (
    ZERO,
    DimensionQuantity,
    Part,
    Quantity,
    Span,
    by_label,
    first_quantities_of,
    have_voided,
    quantities_by_unit_amount_of,
    totals_of,
)

LEVELS = (Meter.Aggregation.TIME_WEIGHTED_SUM,)
# A product of two numbers of 38 digits, and a quotient that is never too small.
ENOUGH = Context(prec=100, rounding=ROUND_CEILING)


class Definitions(dict[int, Definition]):
    """Definitions of prices, each parsed once for all that are computed together."""

    def of(self, price: Price) -> Definition:
        if price.pk not in self:
            self[price.pk] = definition_of(price)
        return self[price.pk]


@dataclass(slots=True)
class Taken:
    """What one price takes of a segment: the total and the dimension sets it is made of."""

    price: Price
    definitions: Definitions
    period: Period
    quantity: Decimal
    event_count: int
    dimension_set_ids: list[int]
    # The events one by one, or summed up, where the model asks for them.
    events: tuple[Event, ...] = ()
    # The same of each customer alone, the payer first, where teams are billed with it.
    teams: "dict[int, Taken]" = field(default_factory=dict)
    # As much as was billed, of as many events, but some of them were corrected: it may cost something else.
    is_in_doubt: bool = False

    def part(self, span: Span) -> Part:
        assert self.price.meter_id is not None
        return Part(
            span.customer_id, self.price.meter_id, self.dimension_set_ids, span.start, span.end, span.joined
        )

    @property
    def numbers(self) -> "Numbers":
        return self.quantity, self.event_count, counted(self.teams)

    @property
    def is_dynamic(self) -> bool:
        return self.price.model == Price.Model.DYNAMIC

    @property
    def reads_events(self) -> bool:
        definition = self.definition
        return self.is_dynamic or (isinstance(definition, Percentage) and free_limits(definition) is not None)

    @property
    def definition(self) -> Definition:
        return self.definitions.of(self.price)

    @property
    def is_more_than_a_sum(self) -> bool:
        meter = self.price.meter
        return meter is not None and not meter.is_additive and len(self.dimension_set_ids) > 1

    def add(self, one: DimensionQuantity) -> None:
        self.quantity = exact_sum([self.quantity, one.quantity.quantity])
        self.event_count += one.quantity.event_count
        self.dimension_set_ids.append(one.dimension_set_id)


# A meter, dimension values, and the usage with these that no price of the version takes.
Rest = tuple[int, Mapping[str, str], Quantity]


@dataclass(frozen=True, slots=True)
class Shared:
    """Usage of one segment, shared out among the prices of its version. `unpriced` is what is shown of the rest.

    `span` is whose usage it is. Where teams are billed with the payer, `teams` is what each of them used alone, the
    payer first.
    """

    segment: Segment
    span: Span
    taken: list[Taken]
    rest: list[Rest]
    unpriced: list[Unpriced]
    teams: "dict[int, Shared]" = field(default_factory=dict)

    @property
    def all(self) -> "list[Shared]":
        return [self, *self.teams.values()]


# Quantity and events of a price and period, and the same by customer, without those who have none.
Numbers = tuple[Decimal, int, dict[int, tuple[Decimal, int]]]
Billed = Mapping[tuple[int, Period], Numbers]


def counted(teams: Mapping[int, Taken | BilledShare]) -> dict[int, tuple[Decimal, int]]:
    return {
        customer_id: (one.quantity, one.event_count)
        for customer_id, one in teams.items()
        if one.quantity or one.event_count
    }


def numbers_of(billed: BilledUsage) -> Numbers:
    return billed.quantity, billed.event_count, counted(billed.teams)


def numbers_by_price(rows: Sequence[BilledUsage]) -> Billed:
    return {(one.price_id, Period(one.period_start, one.period_end)): numbers_of(one) for one in rows}


@dataclass(frozen=True, slots=True)
class Sharing:
    """The usage of one subscription, to be shared out: its segments, and the versions whose meters are its own.

    `billed` is what was charged already: where it is all that was used, no event is read again.
    """

    subscription: Subscription
    segments: list[Segment]
    version_ids: set[int]
    billed: Billed

    def is_unchanged(self, taken: Taken) -> bool:
        return self.billed.get((taken.price.pk, taken.period)) == taken.numbers


# What is shared out, and one of its segments.
Piece = tuple[Sharing, Shared]


def put_together(pieces: Sequence[Piece], as_of: datetime) -> None:
    """What a price takes of several dimension sets is their sum for sums and counts alone: the largest value of
    two sets is one of theirs, and a user of both is one user. One statement for all of these, when there are any.
    """
    parts = [part for _, one in pieces for part in one.all]
    groups = [
        {
            (meter_id, set_id): taken.price.pk
            for taken in one.taken
            if taken.is_more_than_a_sum and (meter_id := taken.price.meter_id) is not None
            for set_id in taken.dimension_set_ids
        }
        for one in parts
    ]
    if not any(groups):
        return
    found = totals_of(
        [one.span for one in parts],
        {meter_id for group in groups for meter_id, _ in group},
        grouping=by_label(groups),
        as_of=as_of,
    )
    for one, totals in zip(parts, found, strict=True):
        for taken in one.taken:
            if taken.is_more_than_a_sum and (meter_id := taken.price.meter_id) is not None:
                total = totals.get((meter_id, str(taken.price.pk)), ZERO)
                taken.quantity, taken.event_count = total.quantity, total.event_count


def add_levels(pieces: Sequence[Piece]) -> None:
    """Each team's area under its levels is rounded once, so that of all is the sum of theirs, to the last digit."""
    for _, one in pieces:
        for taken in one.taken:
            if taken.teams and taken.price.meter and taken.price.meter.aggregation in LEVELS:
                taken.quantity = exact_sum(part.quantity for part in taken.teams.values())


def with_events(pieces: Sequence[Piece]) -> Iterator[tuple[Shared, Taken]]:
    """What is used and not billed as it is."""
    for sharing, one in pieces:
        for taken in one.taken:
            if taken.event_count and (taken.is_in_doubt or not sharing.is_unchanged(taken)):
                yield one, taken


def note_doubts(pieces: Sequence[Piece]) -> None:
    """Of prices that ask for events: an event that was replaced by one with another price changes no total. One query
    where such were billed before; only what was corrected is read again.
    """
    asked = [
        (one, taken)
        for sharing, one in pieces
        for taken in one.taken
        if taken.event_count and taken.reads_events and sharing.is_unchanged(taken)
    ]
    for (_, taken), found in zip(
        asked, have_voided([taken.part(one.span) for one, taken in asked]), strict=True
    ):
        taken.is_in_doubt = found


def read_unit_prices(pieces: Sequence[Piece]) -> None:
    """Sum the events of dynamic prices by the unit price they bring. Those that bring none are left over."""
    asked = [
        one
        for shared, taken in with_events(pieces)
        if taken.is_dynamic
        for one in ((shared, taken), *((shared.teams[team], part) for team, part in taken.teams.items()))
        if one[1].event_count
    ]
    questions = [(taken.part(one.span), taken.price.unit_amount_property) for one, taken in asked]
    for (one, taken), rows in zip(asked, quantities_by_unit_amount_of(questions), strict=True):
        priced = [(unit_amount, total) for unit_amount, total in rows if unit_amount is not None]
        taken.events = tuple(Event(total.quantity, unit_amount) for unit_amount, total in priced)
        taken.quantity = exact_sum(total.quantity for _, total in priced)
        taken.event_count = sum(total.event_count for _, total in priced)
        assert taken.price.meter_id is not None
        missing = {taken.price.unit_amount_property: ""}
        one.rest.extend(
            (taken.price.meter_id, missing, total) for unit_amount, total in rows if unit_amount is None
        )


def read_free_events(pieces: Sequence[Piece]) -> None:
    """The first events of percentage prices, up to the first that is not free; a few more do no harm."""
    asked = [
        (one, taken, limits)
        for one, taken in with_events(pieces)
        if isinstance(taken.definition, Percentage) and (limits := free_limits(taken.definition)) is not None
    ]
    questions = [(taken.part(one.span), limits) for one, taken, limits in asked]
    for (_, taken, _), first in zip(asked, first_quantities_of(questions), strict=True):
        taken.events = tuple(Event(one) for one in first)


def free_limits(definition: Percentage) -> tuple[int | None, Decimal | None] | None:
    """How many events, and how much of their total; None where nothing is free."""
    if definition.events_included is None and definition.amount_included is None:
        return None
    total = definition.amount_included
    if total is not None and definition.convert is not None:
        # Back into the meter's unit, rather more than less.
        with localcontext(ENOUGH):
            total = total * (definition.convert.divide_by or 1) / (definition.convert.multiply_by or 1)
    return None if definition.events_included is None else definition.events_included + 1, total
