"""Events as they were reported, the totals they add up to, and those that wait for staff."""

from apps.usage.models.correction import BackfilledReading, EventReading, VoidedEvent
from apps.usage.models.event import CONSTANT_ONE, EventKey, EventShape, UsageEvent
from apps.usage.models.health import IngestionMinute
from apps.usage.models.quarantine import QuarantinedEvent
from apps.usage.models.rollup import DimensionSet, RollupDay, RollupHour, UniqueDay, UniqueHour
from apps.usage.models.settings import UsageSettings

__all__ = [
    "CONSTANT_ONE",
    "BackfilledReading",
    "DimensionSet",
    "EventKey",
    "EventReading",
    "EventShape",
    "IngestionMinute",
    "QuarantinedEvent",
    "RollupDay",
    "RollupHour",
    "UniqueDay",
    "UniqueHour",
    "UsageEvent",
    "UsageSettings",
    "VoidedEvent",
]
