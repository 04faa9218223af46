"""Events as they were reported, the totals they add up to, and those that wait for staff."""

from apps.usage.models.archive import ArchivedPartition, RetentionCheck
from apps.usage.models.backfill import BackfillEvent, UsageBackfill
from apps.usage.models.cardinality import MeterCardinality
from apps.usage.models.correction import (
    BackfilledReading,
    EventReading,
    EventRevision,
    UsageCorrection,
    VoidedEvent,
)
from apps.usage.models.day_mark import DayMark, DayPart
from apps.usage.models.event import CONSTANT_ONE, EventKey, EventShape, UsageEvent
from apps.usage.models.health import IngestionMinute
from apps.usage.models.import_run import UsageImport
from apps.usage.models.meter_backfill import DiscardedReading, MeterBackfill
from apps.usage.models.quarantine import QuarantinedEvent
from apps.usage.models.rollup import DimensionSet, RollupDay, RollupHour, UniqueDay, UniqueHour
from apps.usage.models.settings import UsageSettings

__all__ = [
    "CONSTANT_ONE",
    "ArchivedPartition",
    "BackfillEvent",
    "BackfilledReading",
    "DayMark",
    "DayPart",
    "DimensionSet",
    "DiscardedReading",
    "EventKey",
    "EventReading",
    "EventRevision",
    "EventShape",
    "IngestionMinute",
    "MeterBackfill",
    "MeterCardinality",
    "QuarantinedEvent",
    "RetentionCheck",
    "RollupDay",
    "RollupHour",
    "UniqueDay",
    "UniqueHour",
    "UsageBackfill",
    "UsageCorrection",
    "UsageEvent",
    "UsageImport",
    "UsageSettings",
    "VoidedEvent",
]
