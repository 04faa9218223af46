"""Dynamic price: each event brings its own unit price."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Step, StepKind, Usage
from apps.rating.conversion import Rounding
from apps.rating.errors import Problem, UsageError
from apps.rating.exact import ZERO
from apps.rating.prices.base import UsagePrice
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamic(UsagePrice):
    """Sum of quantity × unit price over the events. Lago: dynamic.

    Nothing depends on the order of the events, nor on whether events with one unit price come singly or
    summed up; there is one row per unit price. An included quantity therefore frees the dearest units first.
    A conversion can't round: the rounded total would have no price.
    """

    model: ClassVar[str] = "dynamic"
    can_commit_quantity: ClassVar[bool] = False

    def problems(self) -> Iterator[Problem]:
        yield from UsagePrice.problems(self)
        if self.convert is not None and self.convert.rounding is not Rounding.NONE:
            yield Problem("field_not_allowed", "/convert/rounding", "A dynamic price can't round quantities")

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        rows = []
        metered = ZERO
        billed = ZERO
        for unit_amount, part in sorted(_by_unit_amount(usage).items(), reverse=True):
            metered += part
            former, billed = billed, self._billed(metered)
            if billed > former:
                rows.append(_row(billed - former, unit_amount, words))
        return rows or [_row(ZERO, ZERO, words)]

    def _billed(self, metered: Decimal) -> Decimal:
        """Billed part of the dearest units. Converting the running sum keeps 20/60 + 40/60 exactly 1."""
        converted = metered if self.convert is None else self.convert.apply(metered)
        return max(converted - self.quantity_included, ZERO)


def _by_unit_amount(usage: Usage) -> dict[Decimal, Decimal]:
    """Quantity for each unit price. Refuses an event without one, and a quantity that is no sum."""
    quantities: dict[Decimal, Decimal] = {}
    for index, event in enumerate(usage.events):
        if event.unit_amount is None:
            pointer = f"/events/{index}/unit_amount"
            raise UsageError.of(
                "missing_field", "A dynamic price needs the unit amount of each event", pointer
            )
        quantities[event.unit_amount] = quantities.get(event.unit_amount, ZERO) + event.quantity
    if sum(quantities.values(), ZERO) != usage.quantity:
        raise UsageError.of("quantity_mismatch", "The quantity is not the sum of its events", "/quantity")
    return quantities


def _row(quantity: Decimal, unit_amount: Decimal, words: Words) -> Step:
    return Step(
        StepKind.EVENT,
        words.product(quantity, unit_amount),
        quantity=quantity,
        unit_amount=unit_amount,
        amount=quantity * unit_amount,
    )
