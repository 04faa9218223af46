"""Accrued revenue: what usage costs at the prices of the customers' plans, before it is invoiced.

Base fees are not spread over days, and nothing is rounded before the sum. Of a period that began earlier, what accrued
since an instant is its cost until now less its cost until then: so the days of a period add up to its usage lines,
whatever the price model.

The number of statements is fixed. Rows and time grow with the active subscriptions, so at most RATED_AT_MOST
are read, the oldest; the page then says that the sums are at least so much. Events are read for dynamic prices and
for percentages with a free part alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, localcontext

from apps.analytics.costs import ZERO, Costs, free_limits
from apps.analytics.readings import (
    Span,
    Used,
    dimensions_of,
    first_events_of,
    quantities_of,
    unit_prices_of,
)
from apps.analytics.stretches import Stretch, stretches_of
from apps.analytics.sums import Money, by_size
from apps.catalog.assign import taker_for, takers_of
from apps.catalog.models import Price
from apps.invoices.services.lines import prices_of
from apps.rating import Event

RATED_AT_MOST = 5_000
DIGITS = 120


@dataclass(frozen=True, slots=True)
class Accrual:
    """Amounts by the instant since which they accrued, then by customer and currency."""

    amounts: dict[datetime, dict[tuple[int, str], Decimal]]
    subscriptions: int
    is_partial: bool

    def sums(self, since: datetime) -> list[Money]:
        """By currency, the largest first."""
        found: defaultdict[str, Decimal] = defaultdict(Decimal)
        for (_, currency), amount in self.amounts[since].items():
            found[currency] += amount
        return by_size({currency: amount for currency, amount in found.items() if amount})

    def largest(self, since: datetime, limit: int) -> list[tuple[int, Money]]:
        """Who cost most: customers' numbers with their amounts."""
        rows = sorted(self.amounts[since].items(), key=lambda one: (-one[1], one[0]))
        return [
            (customer_id, Money(amount, currency))
            for (customer_id, currency), amount in rows[:limit]
            if amount > 0
        ]


@dataclass
class Taken:
    """What one price takes of one stretch, piece by piece."""

    price: Price
    quantities: list[Decimal]
    event_counts: list[int]
    set_ids: set[int] = field(default_factory=set)
    # By piece, for dynamic prices; the first ones of the stretch, for percentages with a free part.
    unit_prices: list[list[Event]] = field(default_factory=list)
    first_events: list[Event] = field(default_factory=list)

    def until(self, count: int) -> tuple[Decimal, int, list[Event]]:
        """Quantity, number of events and events of the first `count` pieces."""
        quantity, events = sum(self.quantities[:count], ZERO), sum(self.event_counts[:count])
        if self.price.model == Price.Model.DYNAMIC:
            return quantity, events, [one for piece in self.unit_prices[:count] for one in piece]
        return quantity, events, self.first_events[:events]


def accrue(*, starts: Sequence[datetime], end: datetime) -> Accrual:
    """What accrued from each of `starts` until `end`."""
    stretches, counted = stretches_of(starts=starts, end=end, at_most=RATED_AT_MOST)
    prices = prices_of({stretch.version_id for stretch in stretches})
    metered = {version_id: [one for one in rows if one.is_metered] for version_id, rows in prices.items()}
    costs = Costs()
    amounts: dict[datetime, dict[tuple[int, str], Decimal]] = {
        start: defaultdict(Decimal) for start in starts
    }
    with localcontext(prec=DIGITS):
        for stretch, rows in zip(stretches, taken_by(stretches, metered, costs), strict=True):
            for taken in rows:
                key = stretch.customer_id, taken.price.plan_version.currency
                for start in starts:
                    if start < stretch.end:
                        amounts[start][key] += accrued_since(start, stretch, taken, costs)
    return Accrual(amounts, counted, counted > RATED_AT_MOST)


def accrued_since(start: datetime, stretch: Stretch, taken: Taken, costs: Costs) -> Decimal:
    total = costs.of(taken.price, *taken.until(len(stretch.pieces)))
    before = sum(piece.end <= start for piece in stretch.pieces)
    return total - costs.of(taken.price, *taken.until(before)) if start > stretch.start else total


def taken_by(
    stretches: Sequence[Stretch], metered: dict[int, list[Price]], costs: Costs
) -> list[list[Taken]]:
    """Each stretch's usage, shared out among the prices of its version as an invoice does."""
    spans = [
        Span(stretch.customer_id, piece.start, piece.end) for stretch in stretches for piece in stretch.pieces
    ]
    meter_ids = {one.meter_id for rows in metered.values() for one in rows if one.meter_id is not None}
    pieces = iter(quantities_of(spans, meter_ids))
    by_stretch = [[next(pieces) for _ in stretch.pieces] for stretch in stretches]
    dimensions = dimensions_of(
        one.dimension_set_id for pieces_used in by_stretch for used in pieces_used for one in used
    )
    takers = TakersByVersion(metered, dimensions)
    found = [
        share_out(stretch, used, metered[stretch.version_id], takers)
        for stretch, used in zip(stretches, by_stretch, strict=True)
    ]
    read_unit_prices(stretches, found, takers)
    read_first_events(stretches, found, costs)
    return found


class TakersByVersion:
    """Which price of a version takes a meter's usage with a dimension set; each answer is found once."""

    def __init__(self, metered: dict[int, list[Price]], dimensions: dict[int, dict[str, str]]) -> None:
        self.dimensions = dimensions
        self.takers = {
            (version_id, meter_id): takers_of(one for one in rows if one.meter_id == meter_id)
            for version_id, rows in metered.items()
            for meter_id in {one.meter_id for one in rows}
        }
        self.known: dict[tuple[int, int, int], Price | None] = {}

    def find(self, version_id: int, meter_id: int, set_id: int) -> Price | None:
        key = version_id, meter_id, set_id
        if key not in self.known:
            takers = self.takers.get((version_id, meter_id), [])
            self.known[key] = taker_for(takers, self.dimensions.get(set_id, {}))
        return self.known[key]


def share_out(
    stretch: Stretch, used: Sequence[Iterable[Used]], prices: Sequence[Price], takers: TakersByVersion
) -> list[Taken]:
    """A price that took nothing is there too: it may have a minimum."""
    count = len(stretch.pieces)
    taken = {price.pk: Taken(price, [ZERO] * count, [0] * count) for price in prices}
    for index, rows in enumerate(used):
        for one in rows:
            price = takers.find(stretch.version_id, one.meter_id, one.dimension_set_id)
            if price is not None:
                mine = taken[price.pk]
                mine.quantities[index] += one.quantity
                mine.event_counts[index] += one.event_count
                mine.set_ids.add(one.dimension_set_id)
    return list(taken.values())


def read_unit_prices(
    stretches: Sequence[Stretch], found: Sequence[list[Taken]], takers: TakersByVersion
) -> None:
    """Dynamic prices: sum events by the unit price they bring. Those that bring none are unpriced."""
    places: list[tuple[Stretch, Taken, int]] = []
    questions = []
    for stretch, rows in zip(stretches, found, strict=True):
        for taken in rows:
            if taken.price.model != Price.Model.DYNAMIC or taken.price.meter_id is None:
                continue
            taken.unit_prices = [[] for _ in stretch.pieces]
            for index, piece in enumerate(stretch.pieces):
                if taken.event_counts[index]:
                    asked = (taken.price.meter_id, taken.price.unit_amount_property, piece.start, piece.end)
                    questions.append((len(places), stretch.customer_id, *asked))
                    places.append((stretch, taken, index))
                taken.quantities[index], taken.event_counts[index] = ZERO, 0
    for label, meter_id, _, set_id, unit_amount, quantity, count in unit_prices_of(questions):
        stretch, taken, index = places[label]
        if unit_amount is None or takers.find(stretch.version_id, meter_id, set_id) is not taken.price:
            continue
        taken.unit_prices[index].append(Event(quantity, unit_amount))
        taken.quantities[index] += quantity
        taken.event_counts[index] += count


def read_first_events(stretches: Sequence[Stretch], found: Sequence[list[Taken]], costs: Costs) -> None:
    """Percentages with a free part: the first events, up to the first that is not free."""
    places: list[Taken] = []
    questions = []
    for stretch, rows in zip(stretches, found, strict=True):
        for taken in rows:
            limits = free_limits(costs.definition(taken.price))
            if limits is None or not sum(taken.event_counts) or taken.price.meter_id is None:
                continue
            period = (stretch.start, stretch.end)
            sets = sorted(taken.set_ids)
            questions.append((len(places), stretch.customer_id, taken.price.meter_id, sets, *period, *limits))
            places.append(taken)
    for label, quantities in first_events_of(questions).items():
        places[label].first_events = [Event(quantity) for quantity in quantities]
