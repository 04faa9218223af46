"""What is measured (meters) and what it costs (plans, their versions and prices)."""

from apps.catalog.models.book import PriceBook
from apps.catalog.models.dimension_filter import PriceFilter
from apps.catalog.models.feature import Feature, Product
from apps.catalog.models.meter import Meter
from apps.catalog.models.plan import Plan, PlanVersion
from apps.catalog.models.price import Price
from apps.catalog.models.tier import PriceTier

__all__ = [
    "Feature",
    "Meter",
    "Plan",
    "PlanVersion",
    "Price",
    "PriceBook",
    "PriceFilter",
    "PriceTier",
    "Product",
]
