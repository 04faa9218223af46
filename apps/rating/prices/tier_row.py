"""Rows that explain a tier."""

from decimal import Decimal

from apps.rating.charge import Step, StepKind
from apps.rating.prices.tiers import RateTier, Tier
from apps.rating.words import Words


def unit_tier_row(tier: Tier, name: str, quantity: Decimal, entry_fee: Decimal, words: Words) -> Step:
    """Quantity × unit amount + entry fee."""
    return Step(
        StepKind.TIER,
        f"{name}: {words.product(quantity, tier.unit_price)}{_fee(entry_fee, words)}",
        quantity=quantity,
        unit_amount=tier.unit_price,
        flat_amount=entry_fee,
        amount=quantity * tier.unit_price + entry_fee,
    )


def rate_tier_row(tier: RateTier, name: str, base: Decimal, entry_fee: Decimal, words: Words) -> Step:
    """Base amount × rate + entry fee."""
    return Step(
        StepKind.TIER,
        f"{name}: {words.share(base, tier.rate)}{_fee(entry_fee, words)}",
        quantity=base,
        rate=tier.rate,
        flat_amount=entry_fee,
        amount=base * tier.rate + entry_fee,
    )


def _fee(entry_fee: Decimal, words: Words) -> str:
    return f" + {words.price(entry_fee)}" if entry_fee else ""
