"""Unit conversion: from the unit a meter counts to the unit a price bills (1,000 tokens)."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import StrEnum

from apps.rating.charge import Step, StepKind
from apps.rating.errors import Problem
from apps.rating.exact import grouped, quotient
from apps.rating.validated import Validated
from apps.rating.values import PositiveQuantity
from apps.rating.words import Words, shown


class Rounding(StrEnum):
    """What happens to a part of a billed unit."""

    NONE = "none"
    UP = "up"
    DOWN = "down"
    HALF_UP = "half_up"


_MODES = {Rounding.UP: ROUND_CEILING, Rounding.DOWN: ROUND_FLOOR, Rounding.HALF_UP: ROUND_HALF_UP}
_WORDS = {
    Rounding.NONE: "",
    Rounding.UP: ", rounded up",
    Rounding.DOWN: ", rounded down",
    Rounding.HALF_UP: ", rounded half up",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion(Validated):
    """Divide or multiply a metered quantity, then round it to whole billed units or not at all.

    1,500 tokens divided by 1,000 and rounded up are 2 units. Exactly one of the two numbers is given.
    """

    divide_by: PositiveQuantity | None = None
    multiply_by: PositiveQuantity | None = None
    rounding: Rounding = Rounding.NONE

    def problems(self) -> Iterator[Problem]:
        if self.divide_by is None and self.multiply_by is None:
            yield Problem("missing_field", "", "A conversion needs divide_by or multiply_by")
        if self.divide_by is not None and self.multiply_by is not None:
            yield Problem("conflicting_fields", "/multiply_by", "Divide or multiply, not both")

    def apply(self, quantity: Decimal) -> Decimal:
        """Convert a metered quantity to billed units. A quotient may be endless, as 20 / 60 is."""
        if self.divide_by is not None:
            converted = quotient(quantity, self.divide_by)
        else:
            assert self.multiply_by is not None
            converted = quantity * self.multiply_by
        if self.rounding is Rounding.NONE:
            return converted
        # An inexact quotient is never within 10^-38 of a whole number, so its 60 decimals round as the
        # fraction would.
        return converted.to_integral_value(_MODES[self.rounding])

    def step(self, quantity: Decimal, converted: Decimal, words: Words) -> Step:
        sign, number = ("÷", self.divide_by) if self.divide_by is not None else ("×", self.multiply_by)
        assert number is not None
        text = f"{words.units(quantity)} {sign} {grouped(number)} = {shown(converted)}{_WORDS[self.rounding]}"
        return Step(StepKind.CONVERT, text, quantity=converted)
