"""One class per price model."""

from apps.rating.prices.base import Price, UsagePrice
from apps.rating.prices.cost_plus import CostPlus
from apps.rating.prices.dynamic import Dynamic
from apps.rating.prices.flat import Flat
from apps.rating.prices.graduated import Graduated
from apps.rating.prices.graduated_percentage import GraduatedPercentage
from apps.rating.prices.package import Package
from apps.rating.prices.per_unit import PerUnit
from apps.rating.prices.percentage import Percentage
from apps.rating.prices.tiers import RateTier, Tier
from apps.rating.prices.volume import Volume

MODELS: dict[str, type[Price]] = {
    price.model: price
    for price in (
        Flat,
        PerUnit,
        Graduated,
        Volume,
        Package,
        Percentage,
        GraduatedPercentage,
        Dynamic,
        CostPlus,
    )
}

__all__ = [
    "MODELS",
    "CostPlus",
    "Dynamic",
    "Flat",
    "Graduated",
    "GraduatedPercentage",
    "Package",
    "PerUnit",
    "Percentage",
    "Price",
    "RateTier",
    "Tier",
    "UsagePrice",
    "Volume",
]
