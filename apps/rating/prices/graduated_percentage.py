"""Graduated percentage: each part of an amount of money at the rate of its own tier."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Step, Usage
from apps.rating.prices.tier_row import rate_tier_row
from apps.rating.prices.tiers import RateTier, TieredPrice, entered
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class GraduatedPercentage(TieredPrice):
    """The metered quantity is money; each tier takes its rate of the part inside it, plus its flat amount.

    Lago: graduated percentage; Orb: tiered percentage.
    """

    model: ClassVar[str] = "graduated_percentage"
    can_be_prorated: ClassVar[bool] = False

    tiers: tuple[RateTier, ...]

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        return [
            rate_tier_row(tier, name, part, self.entry_fee(tier, quantity), words)
            for tier, part, name in entered(self.tiers, quantity)
        ]
