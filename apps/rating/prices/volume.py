"""Volume tiers: the total decides one price for all units."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Step, Usage
from apps.rating.prices.tier_row import unit_tier_row
from apps.rating.prices.tiers import Tier, TieredPrice, tier_name
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(TieredPrice):
    """All units at the price of the tier that the quantity falls into, plus that tier's flat amount.

    The amount may fall when a bound is passed. Stripe: tiers_mode volume; Lago: volume; Orb: bulk.
    """

    model: ClassVar[str] = "volume"

    tiers: tuple[Tier, ...]

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        index, tier = next(
            (index, tier)
            for index, tier in enumerate(self.tiers)
            if tier.up_to is None or quantity <= tier.up_to
        )
        return [unit_tier_row(tier, tier_name(index, tier), quantity, self.entry_fee(tier, quantity), words)]
