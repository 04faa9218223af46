"""Graduated tiers: each unit costs what its own tier says."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Step, Usage
from apps.rating.prices.tier_row import unit_tier_row
from apps.rating.prices.tiers import Tier, TieredPrice, entered
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Graduated(TieredPrice):
    """Each tier's units at its own price, plus the flat amount of each tier entered.

    Stripe: tiers_mode graduated; Lago: graduated; Orb: tiered; Flexprice: slab.
    """

    model: ClassVar[str] = "graduated"

    tiers: tuple[Tier, ...]

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        return [
            unit_tier_row(tier, name, part, self.entry_fee(tier, quantity), words)
            for tier, part, name in entered(self.tiers, quantity)
        ]
