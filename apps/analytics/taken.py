"""What prices take of the usage of many stretches, as invoices share it out. A fixed number of statements."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from apps.analytics.costs import ZERO
from apps.analytics.stretches import Stretch
from apps.catalog.assign import taker_for, takers_of
from apps.catalog.models import Price
from apps.rating import Event
from apps.usage.selectors import BY_SET, Part, Quantity, Span, by_label, dimension_values, totals_of

UNUSED = Quantity(ZERO, 0)


@dataclass
class Taken:
    """What one price takes of one stretch, from its start to the end of each of its pieces."""

    price: Price
    quantities: list[Decimal]
    event_counts: list[int]
    set_ids: set[int] = field(default_factory=set)
    # By piece, for dynamic prices; the first ones of the stretch, for percentages with a free part.
    unit_prices: list[list[Event]] = field(default_factory=list)
    first_events: list[Event] = field(default_factory=list)

    @property
    def is_more_than_a_sum(self) -> bool:
        meter = self.price.meter
        return meter is not None and not meter.is_additive and len(self.set_ids) > 1

    def until(self, count: int) -> tuple[Decimal, int, list[Event]]:
        """Quantity, number of events and events of the first `count` pieces."""
        if not count:
            return ZERO, 0, []
        quantity, events = self.quantities[count - 1], self.event_counts[count - 1]
        if self.price.model == Price.Model.DYNAMIC:
            return quantity, events, [one for piece in self.unit_prices[:count] for one in piece]
        return quantity, events, self.first_events[:events]

    def part(self, stretch: Stretch, start: datetime, end: datetime) -> Part:
        assert self.price.meter_id is not None
        span = stretch.span(start, end)
        return Part(span.customer_id, self.price.meter_id, sorted(self.set_ids), start, end, span.joined)


def taken_by(
    stretches: Sequence[Stretch], metered: dict[int, list[Price]], as_of: datetime
) -> list[list[Taken]]:
    """Each stretch's usage, shared out among the prices of its version as an invoice does.

    Asked from the stretch's start each time: the largest value until now is no sum of the pieces' largest.
    """
    spans = [stretch.span(stretch.start, piece.end) for stretch in stretches for piece in stretch.pieces]
    meters = {one.meter.pk: one.meter.aggregation for rows in metered.values() for one in rows if one.meter}
    totals = totals_of(spans, meters, grouping=BY_SET, as_of=as_of)
    takers = TakersByVersion(metered, dimension_values(set_id for total in totals for _, set_id in total))
    by_span = iter(totals)
    found = [
        share_out(stretch, [next(by_span) for _ in stretch.pieces], metered[stretch.version_id], takers)
        for stretch in stretches
    ]
    put_together(stretches, found, spans, as_of)
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


# By meter and dimension set.
Used = dict[tuple[int, int], Quantity]


def share_out(
    stretch: Stretch, used: Sequence[Used], prices: Sequence[Price], takers: TakersByVersion
) -> list[Taken]:
    """A price that took nothing is there too: it may have a minimum."""
    count = len(stretch.pieces)
    taken = {price.pk: Taken(price, [ZERO] * count, [0] * count) for price in prices}
    for index, totals in enumerate(used):
        for (meter_id, set_id), one in totals.items():
            price = takers.find(stretch.version_id, meter_id, set_id)
            if price is not None:
                mine = taken[price.pk]
                mine.quantities[index] += one.quantity
                mine.event_counts[index] += one.event_count
                mine.set_ids.add(set_id)
    return list(taken.values())


def put_together(
    stretches: Sequence[Stretch], found: Sequence[list[Taken]], spans: Sequence[Span], as_of: datetime
) -> None:
    """What several dimension sets measure together, where that is not their sum. As in an invoice."""
    places: list[list[Taken]] = []
    groups = []
    meters: dict[int, str] = {}
    for stretch, rows in zip(stretches, found, strict=True):
        wanted = [taken for taken in rows if taken.is_more_than_a_sum]
        group = {
            (meter.pk, set_id): taken.price.pk
            for taken in wanted
            if (meter := taken.price.meter)
            for set_id in taken.set_ids
        }
        meters |= {meter.pk: meter.aggregation for taken in wanted if (meter := taken.price.meter)}
        places += [wanted] * len(stretch.pieces)
        groups += [group] * len(stretch.pieces)
    if not meters:
        return
    indexes = [index for stretch in stretches for index in range(len(stretch.pieces))]
    totals = totals_of(spans, meters, grouping=by_label(groups), as_of=as_of)
    for index, wanted, total in zip(indexes, places, totals, strict=True):
        for taken in wanted:
            one = total.get((taken.price.meter_id or 0, str(taken.price.pk)), UNUSED)
            taken.quantities[index], taken.event_counts[index] = one.quantity, one.event_count
