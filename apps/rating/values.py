"""The kinds of number a price definition holds, each with the rule that every value of that kind obeys.

The rules stand in the type hints of the definitions, so the constructors, the parser and a reader share one
source.
"""

import typing
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Annotated

from apps.rating.errors import Problem
from apps.rating.exact import DECIMALS, INTEGER_DIGITS, decimals_of


@dataclass(frozen=True, slots=True)
class Rule:
    """Bounds of a number. `above` is exclusive, `least` and `most` are inclusive."""

    least: int | None = None
    above: int | None = None
    most: int | None = None
    hint: str = ""
    digits: int = INTEGER_DIGITS

    def problem(self, value: Decimal | int, pointer: str) -> Problem | None:
        """What is wrong with a number, or None."""
        if isinstance(value, Decimal):
            if not value.is_finite():
                return Problem("not_finite", pointer, "Must be a finite number")
            if decimals_of(value) > DECIMALS:
                return Problem("too_many_decimals", pointer, f"At most {DECIMALS} decimals")
        if _digits_before_point(value) > self.digits:
            return Problem("out_of_range", pointer, f"At most {self.digits} digits before the point")
        low = "negative" if value < 0 else "out_of_range"
        if self.least is not None and value < self.least:
            return Problem(low, pointer, f"Must be at least {self.least}")
        if self.above is not None and value <= self.above:
            return Problem(low, pointer, f"Must be more than {self.above}")
        if self.most is not None and value > self.most:
            return Problem("out_of_range", pointer, f"Must be at most {self.most}{self.hint}")
        return None


Amount = Annotated[Decimal, Rule(least=0)]
"""Money in the currency's main unit, with up to 18 decimals."""

PositiveAmount = Annotated[Decimal, Rule(above=0)]

Quantity = Annotated[Decimal, Rule(least=0)]
"""A quantity in billed units, that is after conversion."""

SignedQuantity = Annotated[Decimal, Rule()]
"""A difference of quantities."""

SignedTotal = Annotated[Decimal, Rule(digits=100)]
"""A difference of results of rating, which may be longer than any number that goes in."""

PositiveQuantity = Annotated[Decimal, Rule(above=0)]

Rate = Annotated[Decimal, Rule(least=0, most=1, hint="; a rate is a fraction: 0.029 is 2.9 %")]

Percent = Annotated[Decimal, Rule(least=0, most=100)]

Multiplier = Annotated[Decimal, Rule(least=0)]

Factor = Annotated[Decimal, Rule(least=1)]

Count = Annotated[int, Rule(least=0, digits=18)]
"""A number of events: fits the eight bytes of a database's integer."""


def _digits_before_point(value: Decimal | int) -> int:
    if isinstance(value, int):
        return len(str(abs(value)))
    return value.adjusted() + 1 if value else 0


@cache
def hints_of(cls: type) -> Mapping[str, object]:
    """Type hints of a definition class by field name, with their rules."""
    return {
        name: hint
        for name, hint in typing.get_type_hints(cls, include_extras=True).items()
        if typing.get_origin(hint) is not typing.ClassVar
    }


@cache
def _numbers_of(cls: type) -> tuple[tuple[str, type[Decimal | int], Rule], ...]:
    return tuple(
        (name, *found) for name, hint in hints_of(cls).items() if (found := number_rule(hint)) is not None
    )


def number_rule(hint: object) -> tuple[type[Decimal | int], Rule] | None:
    """The number type and rule of a hint such as `Amount` or `Amount | None`, if it is one."""
    for option in (hint, *typing.get_args(hint)):
        if typing.get_origin(option) is Annotated:
            number, rule = typing.get_args(option)
            return number, rule
    return None


def number_problems(definition: Hashable) -> Iterator[Problem]:
    """Check every number of a definition against the rule of its field. Floats are refused."""
    for name, number, rule in _numbers_of(type(definition)):
        value = getattr(definition, name)
        if value is None:
            continue
        if type(value) is not number:
            yield Problem(
                "invalid_type", f"/{name}", f"Must be {number.__name__}, not {type(value).__name__}"
            )
        elif (problem := rule.problem(value, f"/{name}")) is not None:
            yield problem
