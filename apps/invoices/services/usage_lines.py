"""Lines for metered usage: which price takes which part of it, and what that costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Context, Decimal, localcontext

from apps.catalog.assign import taker_for, takers_of
from apps.catalog.definitions import definition_of
from apps.catalog.models import Meter, Price
from apps.invoices.selectors import BilledUsage
from apps.invoices.services.lines import ComputedLine, Kind, Segment, Unpriced
from apps.rating import AlreadyBilled, Event, Percentage, Usage, exact_sum, rate, rate_delta
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.periods import Period
from apps.usage.selectors import (
    ZERO,
    DimensionQuantity,
    Part,
    Quantity,
    first_quantities,
    quantities_by_dimension_over,
    quantities_by_group_over,
    quantities_by_unit_amount,
)

# A product of two numbers of 38 digits, and a quotient that is never too small.
ENOUGH = Context(prec=100, rounding=ROUND_CEILING)


@dataclass(slots=True)
class Taken:
    """What one price takes of a segment: the total and the dimension sets it is made of."""

    price: Price
    period: Period
    quantity: Decimal
    event_count: int
    dimension_set_ids: list[int]
    # The events one by one, or summed up, where the model asks for them.
    events: tuple[Event, ...] = ()

    def part(self, customer_id: int) -> Part:
        assert self.price.meter_id is not None
        return Part(
            customer_id, self.price.meter_id, self.dimension_set_ids, self.period.start, self.period.end
        )

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
    """Usage of one segment, shared out among the prices of its version. `unpriced` is what is shown of the rest."""

    segment: Segment
    taken: list[Taken]
    rest: list[Rest]
    unpriced: list[Unpriced]


Billed = dict[tuple[int, Period], tuple[Decimal, int]]


def share_out(
    *,
    subscription: Subscription,
    segments: list[Segment],
    prices: dict[int, list[Price]],
    billed: Billed,
    as_of: datetime,
) -> list[Shared]:
    """Give each part of the usage to exactly one price. One statement for all segments, so one snapshot.

    All meters are looked at: usage that no price takes is unpriced, also when the version forgot its meter.
    `billed` is what was charged for a price and period (quantity, events): where it is all that was used, no
    event is read again. Levels last until `as_of`.
    """
    metered = {version_id: [one for one in rows if one.is_metered] for version_id, rows in prices.items()}
    meters = list(Meter.objects.values_list("pk", "code", "aggregation"))
    codes = {pk: code for pk, code, _ in meters}
    used = quantities_by_dimension_over(
        customer_id=subscription.customer_id,
        meter_ids={pk: aggregation for pk, _, aggregation in meters},
        periods=[(segment.period.start, segment.period.end) for segment in segments],
        as_of=as_of,
    )
    own = {price.meter_id for rows in metered.values() for price in rows}
    others = other_subscriptions(subscription)
    shared = [
        share_segment(segment, metered[segment.prices_key], by_meter)
        for segment, by_meter in zip(segments, used, strict=True)
    ]
    put_together(subscription.customer_id, shared, as_of)
    for one in shared:
        for taken in one.taken:
            is_unchanged = billed.get((taken.price.pk, taken.period)) == (taken.quantity, taken.event_count)
            if taken.price.model == Price.Model.DYNAMIC and taken.event_count and not is_unchanged:
                one.rest.extend(read_unit_prices(subscription.customer_id, taken))
        priced_here = {taken.price.meter_id for taken in one.taken}
        one.unpriced.extend(
            Unpriced(
                meter_id, codes[meter_id], dimensions, one.segment.period, left.quantity, left.event_count
            )
            for meter_id, dimensions, left in one.rest
            if meter_id in priced_here or others.leave(meter_id, is_own=meter_id in own)
        )
    return shared


def put_together(customer_id: int, shared: list[Shared], as_of: datetime) -> None:
    """What a price takes of several dimension sets is their sum for sums and counts alone: the largest value of
    two sets is one of theirs, and a user of both is one user. One statement for all of these, when there are any.
    """
    groups = [
        {
            (meter_id, set_id): taken.price.pk
            for taken in one.taken
            if taken.is_more_than_a_sum and (meter_id := taken.price.meter_id) is not None
            for set_id in taken.dimension_set_ids
        }
        for one in shared
    ]
    if not any(groups):
        return
    found = quantities_by_group_over(
        customer_id=customer_id,
        periods=[(one.segment.period.start, one.segment.period.end) for one in shared],
        groups=groups,
        as_of=as_of,
    )
    for one, totals in zip(shared, found, strict=True):
        for taken in one.taken:
            if taken.is_more_than_a_sum and (meter_id := taken.price.meter_id) is not None:
                total = totals.get((meter_id, str(taken.price.pk)), ZERO)
                taken.quantity, taken.event_count = total.quantity, total.event_count


@dataclass(frozen=True, slots=True)
class Others:
    """The customer's other subscriptions: the meters they bill or billed, and whether one of them is older."""

    meter_ids: set[int]
    has_older: bool

    def leave(self, meter_id: int, *, is_own: bool) -> bool:
        """Whether usage of a meter that the version doesn't price is to be shown with this subscription.

        What others bill is theirs. A meter that another version of the subscription prices is its own. What
        nobody prices is shown once, with the oldest.
        """
        return meter_id not in self.meter_ids and (is_own or not self.has_older)


def other_subscriptions(subscription: Subscription) -> Others:
    rows = SubscriptionPhase.objects.filter(
        subscription__customer_id=subscription.customer_id, subscription__status=Subscription.Status.ACTIVE
    ).exclude(subscription=subscription)
    found = list(rows.values_list("subscription_id", "plan_version__prices__meter_id"))
    return Others(
        meter_ids={meter_id for _, meter_id in found if meter_id is not None},
        has_older=any(other_id < subscription.pk for other_id, _ in found),
    )


def read_unit_prices(customer_id: int, taken: Taken) -> list[Rest]:
    """Sum the events of a dynamic price by the unit price they bring. Those that bring none are left over."""
    rows = quantities_by_unit_amount(taken.part(customer_id), property_name=taken.price.unit_amount_property)
    priced = [(unit_amount, one) for unit_amount, one in rows if unit_amount is not None]
    taken.events = tuple(Event(one.quantity, unit_amount) for unit_amount, one in priced)
    taken.quantity = exact_sum(one.quantity for _, one in priced)
    taken.event_count = sum(one.event_count for _, one in priced)
    assert taken.price.meter_id is not None
    missing = {taken.price.unit_amount_property: ""}
    return [(taken.price.meter_id, missing, one) for unit_amount, one in rows if unit_amount is None]


def share_segment(
    segment: Segment, prices: list[Price], by_meter: dict[int, list[DimensionQuantity]]
) -> Shared:
    taken = {price.pk: Taken(price, segment.period, Decimal(0), 0, []) for price in prices}
    rest: list[Rest] = []
    for meter_id in sorted(by_meter):
        takers = takers_of(price for price in prices if price.meter_id == meter_id)
        for one in by_meter[meter_id]:
            taker = taker_for(takers, one.dimensions)
            if taker is not None:
                taken[taker.pk].add(one)
            else:
                rest.append((meter_id, one.dimensions, one.quantity))
    return Shared(segment, list(taken.values()), rest, [])


def usage_line(customer_id: int, taken: Taken, currency: str) -> ComputedLine:
    """A metered price has a line at zero usage too: the customer sees that nothing was used."""
    price = taken.price
    assert price.meter is not None
    charge = rate(
        definition_of(price), usage_of(customer_id, taken), currency=currency, unit=price.meter.unit
    )
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
    )


def adjustment_line(customer_id: int, taken: Taken, billed: BilledUsage, currency: str) -> ComputedLine:
    """Late usage: the price of all usage of the period less what was billed for it, rounded cumulatively."""
    price = taken.price
    assert price.meter is not None
    charge = rate_delta(
        definition_of(price),
        usage_of(customer_id, taken),
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
    )


def usage_of(customer_id: int, taken: Taken) -> Usage:
    """The totals, with events where the model asks for them."""
    events = taken.events
    definition = definition_of(taken.price)
    if isinstance(definition, Percentage) and taken.event_count:
        events = free_events(customer_id, taken, definition)
    return Usage(quantity=taken.quantity, event_count=taken.event_count, events=events)


def free_events(customer_id: int, taken: Taken, definition: Percentage) -> tuple[Event, ...]:
    """The first events, up to the first that is not free; a few more do no harm."""
    if definition.events_included is None and definition.amount_included is None:
        return ()
    total = definition.amount_included
    if total is not None and definition.convert is not None:
        # Back into the meter's unit, rather more than less.
        with localcontext(ENOUGH):
            total = total * (definition.convert.divide_by or 1) / (definition.convert.multiply_by or 1)
    count = None if definition.events_included is None else definition.events_included + 1
    return tuple(Event(one) for one in first_quantities(taken.part(customer_id), count=count, total=total))
