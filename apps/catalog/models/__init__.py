"""What is measured (meters) and what it costs (plans, their versions and prices)."""

from apps.catalog.models.meter import Meter
from apps.catalog.models.plan import Plan, PlanVersion
from apps.catalog.models.price import Price

__all__ = ["Meter", "Plan", "PlanVersion", "Price"]
