"""Everything that is known of one event: its revisions, what was taken back, and what younger meters read."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.usage.identity import event_key
from apps.usage.models import (
    BackfilledReading,
    DiscardedReading,
    EventKey,
    EventRevision,
    UsageCorrection,
    UsageEvent,
    VoidedEvent,
)
from apps.usage.selectors.events import key_of


@dataclass(frozen=True, slots=True)
class Revision:
    """`made_by` brought it, `voided_by` took it back; the first revision is what the client sent."""

    number: int
    key: UUID
    timestamp: datetime | None
    made_by: UsageCorrection | None
    voided_by: UsageCorrection | None
    is_this: bool


@dataclass(frozen=True, slots=True)
class ReadingOf:
    """One meter's reading. `is_discarded`: by a definition that the meter no longer has, so it counts no more."""

    meter_id: int
    dimension_set_id: int
    value: str
    is_backfilled: bool = False
    is_discarded: bool = False


def revisions_of(event: UsageEvent) -> list[Revision]:
    """All revisions of its id, the oldest first; three queries."""
    mine = UUID(hex=key_of(event))
    root = UUID(hex=event_key(source=event.source, event_id=event.event_id))
    rows = list(EventRevision.objects.filter(root_key=root).select_related("correction").order_by("revision"))
    keys = [root, *(row.key for row in rows)]
    voided = {
        row.key: row.correction
        for row in VoidedEvent.objects.filter(key__in=keys).select_related("correction")
    }
    first_at = EventKey.objects.filter(key=root).values_list("timestamp", flat=True).first()
    return [
        Revision(0, root, first_at, None, voided.get(root), root == mine),
        *(
            Revision(
                row.revision, row.key, row.timestamp, row.correction, voided.get(row.key), row.key == mine
            )
            for row in rows
        ),
    ]


def readings_of(event: UsageEvent) -> list[ReadingOf]:
    """What was read when it came in, then what younger meters were given; two queries."""
    discarded = set(
        DiscardedReading.objects.filter(shape_id=event.shape_id).values_list("meter_id", flat=True)
    )
    later = BackfilledReading.objects.filter(
        customer_id=event.customer_id,
        timestamp=event.timestamp,
        event_id=event.event_id,
        shape_id=event.shape_id,
    )
    return [
        ReadingOf(meter_id, set_id, value, is_discarded=meter_id in discarded)
        for meter_id, set_id, value in event.readings
    ] + [
        ReadingOf(one.meter_id, one.dimension_set_id, one.value, is_backfilled=True)
        for one in later.order_by("meter_id")
    ]
