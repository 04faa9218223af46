"""Cost plus: what the usage cost us, times a factor."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Step, StepKind, Usage
from apps.rating.exact import grouped
from apps.rating.prices.base import UsagePrice
from apps.rating.values import Multiplier
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPlus(UsagePrice):
    """The metered quantity is a cost in money; the charge is cost × multiplier (1.2 adds 20 %).

    Orb: cost plus / tiered with markup; common for passed-on model costs.
    """

    model: ClassVar[str] = "cost_plus"

    multiplier: Multiplier

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        return [
            Step(
                StepKind.COST,
                f"Cost of {words.money(quantity)} × {grouped(self.multiplier)}",
                quantity=quantity,
                rate=self.multiplier,
                amount=quantity * self.multiplier,
            )
        ]
