"""Package price: units are sold in whole packages."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import ClassVar

from apps.rating.charge import Step, StepKind, Usage
from apps.rating.exact import quotient
from apps.rating.prices.base import UsagePrice
from apps.rating.values import Amount, PositiveQuantity
from apps.rating.words import Words, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Package(UsagePrice):
    """A package that is opened is paid: packages = quantity / package_size rounded up, each for unit_amount.

    Stripe: package pricing with rounding up; Lago: package; Orb: package.
    """

    model: ClassVar[str] = "package"
    can_be_prorated: ClassVar[bool] = True

    package_size: PositiveQuantity
    unit_amount: Amount

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        packages = quotient(quantity, self.package_size).to_integral_value(ROUND_CEILING)
        used = f"{words.units(quantity)} in {plural(packages, 'package')} of {words.units(self.package_size)}"
        return [
            Step(
                StepKind.PACKAGE,
                f"{used} × {words.price(self.unit_amount)}",
                quantity=packages,
                unit_amount=self.unit_amount,
                amount=packages * self.unit_amount,
            )
        ]
