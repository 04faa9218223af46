"""The events that some prices ask for: what they bring as unit prices, and the first ones, which are free."""

from collections.abc import Sequence

from apps.analytics.costs import ZERO, Costs, free_limits
from apps.analytics.stretches import Stretch
from apps.analytics.taken import Taken
from apps.catalog.models import Price
from apps.rating import Event
from apps.usage.selectors import first_quantities_of, quantities_by_unit_amount_of


def read_unit_prices(stretches: Sequence[Stretch], found: Sequence[list[Taken]]) -> None:
    """Dynamic prices: sum events by the unit price they bring. Those that bring none are unpriced."""
    places: list[tuple[Taken, int]] = []
    questions = []
    for stretch, rows in zip(stretches, found, strict=True):
        for taken in rows:
            if taken.price.model != Price.Model.DYNAMIC or taken.price.meter_id is None:
                continue
            count = len(stretch.pieces)
            if taken.event_counts[-1]:
                for index, piece in enumerate(stretch.pieces):
                    part = taken.part(stretch, piece.start, piece.end)
                    questions.append((part, taken.price.unit_amount_property))
                    places.append((taken, index))
            taken.unit_prices = [[] for _ in range(count)]
            taken.quantities, taken.event_counts = [ZERO] * count, [0] * count
    for (taken, index), amounts in zip(places, quantities_by_unit_amount_of(questions), strict=True):
        for unit_amount, one in amounts:
            if unit_amount is None:
                continue
            taken.unit_prices[index].append(Event(one.quantity, unit_amount))
            for later in range(index, len(taken.quantities)):
                taken.quantities[later] += one.quantity
                taken.event_counts[later] += one.event_count


def read_first_events(stretches: Sequence[Stretch], found: Sequence[list[Taken]], costs: Costs) -> None:
    """Percentages with a free part: the first events, up to the first that is not free."""
    places: list[Taken] = []
    questions = []
    for stretch, rows in zip(stretches, found, strict=True):
        for taken in rows:
            limits = free_limits(costs.definition(taken.price))
            if limits is None or not taken.event_counts[-1] or taken.price.meter_id is None:
                continue
            questions.append((taken.part(stretch, stretch.start, stretch.end), limits))
            places.append(taken)
    for taken, quantities in zip(places, first_quantities_of(questions), strict=True):
        taken.first_events = [Event(quantity) for quantity in quantities]
