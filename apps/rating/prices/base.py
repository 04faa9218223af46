"""What all price definitions share."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Step, Usage
from apps.rating.commitment import Commitment
from apps.rating.conversion import Conversion
from apps.rating.errors import Problem
from apps.rating.exact import ZERO
from apps.rating.money import has_minor_units
from apps.rating.validated import Validated
from apps.rating.values import Amount, Percent, Quantity
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Validated):
    """A price: how to turn usage into rows with amounts, and what limits the sum of those rows.

    `currency` is optional; a price that names one is refused for any other. `discount_percent` (10 is 10 %)
    and `discount_amount` exclude each other. Raises DefinitionError with every problem found.
    """

    model: ClassVar[str]
    can_be_prorated: ClassVar[bool] = False

    currency: str | None = None
    discount_percent: Percent | None = None
    discount_amount: Amount | None = None
    minimum_amount: Amount | None = None
    maximum_amount: Amount | None = None

    def problems(self) -> Iterator[Problem]:
        if self.currency is not None and not has_minor_units(self.currency):
            yield Problem("unknown_currency", "/currency", "Must be an ISO 4217 code with a minor unit")
        if self.discount_percent is not None and self.discount_amount is not None:
            yield Problem("conflicting_fields", "/discount_amount", "Discount by percent or amount, not both")
        low, high = self.minimum_amount, self.maximum_amount
        if low is not None and high is not None and low > high:
            yield Problem("minimum_above_maximum", "/minimum_amount", "The minimum is above the maximum")

    @abstractmethod
    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        """Price a billed quantity: at least one row, each with its amount. Runs in the EXACT context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePrice(Price):
    """A price of metered usage. `quantity_included` is free, and counted in units after conversion."""

    can_commit_quantity: ClassVar[bool] = True

    convert: Conversion | None = None
    quantity_included: Quantity = ZERO
    commitment: Commitment | None = None

    def problems(self) -> Iterator[Problem]:
        yield from Price.problems(self)
        if self.commitment is None:
            return
        if self.commitment.quantity is not None and not self.can_commit_quantity:
            message = f"A {self.model} price has no price of a quantity: commit an amount"
            yield Problem("field_not_allowed", "/commitment/quantity", message)
        promised, high = self.commitment.amount, self.maximum_amount
        if promised is not None and high is not None and promised > high:
            yield Problem(
                "commitment_above_maximum", "/commitment/amount", "The promise is above the maximum"
            )
