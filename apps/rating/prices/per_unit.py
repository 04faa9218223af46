"""Per-unit price."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Step, StepKind, Usage
from apps.rating.prices.base import UsagePrice
from apps.rating.values import Amount
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class PerUnit(UsagePrice):
    """Every unit costs the same: quantity × unit_amount. Stripe: per unit; Lago: standard; Orb: unit."""

    model: ClassVar[str] = "per_unit"
    can_be_prorated: ClassVar[bool] = True

    unit_amount: Amount

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        return [
            Step(
                StepKind.UNIT,
                words.product(quantity, self.unit_amount),
                quantity=quantity,
                unit_amount=self.unit_amount,
                amount=quantity * self.unit_amount,
            )
        ]
