"""Events as they were reported, the totals they add up to, and those that wait for staff."""

from apps.usage.models.event import UsageEvent
from apps.usage.models.quarantine import QuarantinedEvent
from apps.usage.models.rollup import DimensionSet, RollupDay, RollupHour

__all__ = ["DimensionSet", "QuarantinedEvent", "RollupDay", "RollupHour", "UsageEvent"]
