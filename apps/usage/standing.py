"""Which event an id stands for: the one that was reported, or the revision that took its place."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from apps.usage.identity import event_key
from apps.usage.models import EventKey, EventRevision, UsageEvent, VoidedEvent

HOUR_OF_EVENT = (
    "date_bin('1 hour', usage_usageevent.\"timestamp\", '2000-01-01 00:00:00+00'::timestamptz) = %s"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event lies. With the shape, which is of one revision, it is the place of exactly one."""

    key: UUID
    revision: int
    customer_id: int
    timestamp: datetime
    event_id: str
    source: str
    shape_id: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """`event` counts; or nothing does, and then it is the one that counted last."""

    root_key: UUID
    event: UsageEvent
    key: UUID
    revision: int
    is_voided: bool
    last_revision: int


def standing_of(*, event_id: str, source: str = "") -> Standing | None:
    """What the id stands for; None when no event with it was accepted. A fixed number of queries."""
    root = UUID(hex=event_key(source=source, event_id=event_id))
    origin = EventKey.objects.filter(key=root, customer_id__isnull=False).first()
    if origin is None or origin.customer_id is None:
        return None
    places = [Place(root, 0, origin.customer_id, origin.timestamp, event_id, source)]
    places += [
        Place(one.key, one.revision, one.customer_id, one.timestamp, event_id, source, one.shape_id)
        for one in EventRevision.objects.filter(root_key=root).order_by("revision")
    ]
    voided = dict(
        VoidedEvent.objects.filter(key__in=[place.key for place in places]).values_list("key", "voided_at")
    )
    counting = [place for place in places if place.key not in voided]
    chosen = counting[-1] if counting else max(places, key=lambda place: (voided[place.key], place.revision))
    event = event_at(chosen)
    if event is None:
        return None
    return Standing(root, event, chosen.key, chosen.revision, not counting, places[-1].revision)


def event_at(place: Place) -> UsageEvent | None:
    """By way of the index on customer and hour."""
    hour = place.timestamp.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    events = UsageEvent.objects.select_related("customer", "shape").filter(
        customer_id=place.customer_id, timestamp=place.timestamp, event_id=place.event_id
    )
    if place.shape_id is not None:
        events = events.filter(shape_id=place.shape_id)
    else:
        events = events.filter(shape__source=place.source, shape__revision=place.revision)
    return events.extra(where=[HOUR_OF_EVENT], params=[hour]).first()
