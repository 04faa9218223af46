"""One class per price model."""

from apps.rating.prices.base import Price, UsagePrice
from apps.rating.prices.flat import Flat
from apps.rating.prices.per_unit import PerUnit

MODELS: dict[str, type[Price]] = {price.model: price for price in (Flat, PerUnit)}

__all__ = ["MODELS", "Flat", "PerUnit", "Price", "UsagePrice"]
