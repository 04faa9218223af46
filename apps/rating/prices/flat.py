"""Flat fee."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Step, StepKind, Usage
from apps.rating.prices.base import Price
from apps.rating.values import Amount
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat(Price):
    """A fixed amount, whatever was used. Stripe: flat rate; Lago: subscription fee; Orb: fixed fee."""

    model: ClassVar[str] = "flat"
    can_be_prorated: ClassVar[bool] = True

    flat_amount: Amount

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        text = f"Flat fee {words.price(self.flat_amount)}"
        return [Step(StepKind.FLAT, text, flat_amount=self.flat_amount, amount=self.flat_amount)]
