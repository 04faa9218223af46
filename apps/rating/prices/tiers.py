"""Tiers. A tier runs from the former tier's up_to (exclusive) to its own (inclusive).

With one bound per tier no gap can exist; the last tier is open. Fractional quantities fall where they fall.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, TypeVar

from apps.rating.errors import Problem
from apps.rating.exact import ZERO, grouped
from apps.rating.prices.base import UsagePrice
from apps.rating.validated import Validated
from apps.rating.values import Amount, PositiveQuantity, Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Validated):
    """What every tier has: its inclusive upper bound (None in the open one) and a fee for entering it."""

    up_to: PositiveQuantity | None
    flat_amount: Amount | None = None

    @property
    def entry_fee(self) -> Decimal:
        return ZERO if self.flat_amount is None else self.flat_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier(Bound):
    """A tier with a price per unit, a fee for entering it, or both."""

    unit_amount: Amount | None = None

    def problems(self) -> Iterator[Problem]:
        if self.unit_amount is None and self.flat_amount is None:
            yield Problem("missing_field", "/unit_amount", "A tier needs a unit_amount or a flat_amount")

    @property
    def unit_price(self) -> Decimal:
        return ZERO if self.unit_amount is None else self.unit_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTier(Bound):
    """A tier of money, with a rate (0.029 is 2.9 %) and perhaps a fee for entering it."""

    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class TieredPrice(UsagePrice):
    """A price with tiers.

    The first tier's flat amount is charged at quantity zero too, as Stripe, Lago and OpenMeter do, unless
    `first_tier_flat_at_zero` is false.
    """

    can_be_prorated: ClassVar[bool] = True

    tiers: tuple[Bound, ...]
    first_tier_flat_at_zero: bool = True

    def problems(self) -> Iterator[Problem]:
        yield from UsagePrice.problems(self)
        yield from tier_problems(self.tiers)

    def entry_fee(self, tier: Bound, quantity: Decimal) -> Decimal:
        """The flat amount of a tier that was entered, or stands first."""
        return tier.entry_fee if quantity or self.first_tier_flat_at_zero else ZERO


TierT = TypeVar("TierT", bound=Bound)


def tier_problems(tiers: Sequence[Bound | None]) -> Iterator[Problem]:
    """Check the order of tiers. A tier that could not be read stands as None and is passed over."""
    if not tiers:
        yield Problem("missing_field", "/tiers", "At least one tier is needed")
        return
    former = ZERO
    for index, tier in enumerate(tiers):
        if tier is None:
            continue
        pointer = f"/tiers/{index}/up_to"
        is_last = index == len(tiers) - 1
        if tier.up_to is None:
            if not is_last:
                yield Problem("open_tier_not_last", pointer, "Only the last tier is open")
            continue
        if is_last:
            yield Problem("open_tier_missing", pointer, "The last tier must be open: up_to null")
        if tier.up_to <= former:
            yield Problem("tiers_out_of_order", pointer, f"Must be more than {grouped(former)}")
        former = max(former, tier.up_to)


def entered(tiers: Sequence[TierT], quantity: Decimal) -> Iterator[tuple[TierT, Decimal, str]]:
    """Each entered tier, the part of the quantity inside it, its name. The first tier always counts."""
    lower = ZERO
    for index, tier in enumerate(tiers):
        if tier.up_to is None or quantity <= tier.up_to:
            yield tier, quantity - lower, tier_name(index, tier)
            return
        yield tier, tier.up_to - lower, tier_name(index, tier)
        lower = tier.up_to


def tier_name(index: int, tier: Bound) -> str:
    """Spell the name of a tier: `Tier 2 (up to 10,000)`, or `Tier 3` for an open one."""
    return f"Tier {index + 1}" if tier.up_to is None else f"Tier {index + 1} (up to {grouped(tier.up_to)})"
