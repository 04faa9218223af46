"""What quantities cost, for many customers: each definition is read once, and what is linear is multiplied."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from apps.catalog.definitions import definition_of
from apps.catalog.models import Price
from apps.rating import Event, Percentage, PerUnit, Usage, rate
from apps.rating import Price as Definition

ZERO = Decimal(0)
AROUND = (
    "convert", "commitment", "discount_percent", "discount_amount", "minimum_amount", "maximum_amount",
)  # fmt: skip


@dataclass
class Costs:
    """Unrounded amounts. Remembers definitions, and what the same quantity cost before: many used nothing."""

    definitions: dict[int, Definition] = field(default_factory=dict)
    unit_amounts: dict[int, Decimal | None] = field(default_factory=dict)
    known: dict[tuple[int, Decimal, int], Decimal] = field(default_factory=dict)

    def definition(self, price: Price) -> Definition:
        if price.pk not in self.definitions:
            self.definitions[price.pk] = definition_of(price)
            self.unit_amounts[price.pk] = linear_unit_amount(self.definitions[price.pk])
        return self.definitions[price.pk]

    def of(self, price: Price, quantity: Decimal, event_count: int, events: Sequence[Event] = ()) -> Decimal:
        definition = self.definition(price)
        unit_amount = self.unit_amounts[price.pk]
        if unit_amount is not None:
            return quantity * unit_amount
        usage = Usage(quantity, event_count, tuple(events))
        currency = price.plan_version.currency
        if events:
            return rate(definition, usage, currency=currency).unrounded_amount
        key = (price.pk, quantity, event_count)
        if key not in self.known:
            self.known[key] = rate(definition, usage, currency=currency).unrounded_amount
        return self.known[key]


def linear_unit_amount(definition: Definition) -> Decimal | None:
    """The amount of one unit, where nothing but the quantity counts: then rating is a multiplication."""
    if not isinstance(definition, PerUnit) or definition.quantity_included:
        return None
    return definition.unit_amount if all(getattr(definition, name) is None for name in AROUND) else None


def free_limits(definition: Definition) -> tuple[int | None, Decimal | None] | None:
    """How many of the first events rating has to see, and up to which total; None when it needs none.

    A total is in the meter's unit, and one more, since a division may have been cut.
    """
    if not isinstance(definition, Percentage):
        return None
    count, total = definition.events_included, definition.amount_included
    if count is None and total is None:
        return None
    if total is not None and definition.convert is not None:
        total = total * (definition.convert.divide_by or 1) / (definition.convert.multiply_by or 1) + 1
    return None if count is None else count + 1, total
