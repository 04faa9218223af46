"""Single events."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet, prefetch_related_objects
from django.db.models.expressions import RawSQL

from apps.core.errors import Missing
from apps.usage.identity import event_key, revision_key
from apps.usage.models import EventKey, EventRevision, UsageEvent
from apps.usage.selectors.sql import HOUR_OF
from apps.usage.standing import Place, event_at, standing_of

# Customer, timestamp, id, shape: what finds exactly one event.
EventPlace = tuple[int, object, str, int]

EVENTS_AT = f"""
SELECT event.* FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::bigint[])
                    AS place(customer_id, "timestamp", event_id, shape_id)
  JOIN usage_usageevent AS event ON event.customer_id = place.customer_id
   AND {HOUR_OF.format('event."timestamp"')} = {HOUR_OF.format('place."timestamp"')}
   AND event."timestamp" = place."timestamp" AND event.event_id = place.event_id
   AND event.shape_id = place.shape_id
"""


def event_by_identity(*, event_id: str, source: str = "") -> UsageEvent:
    """The event that the id stands for, with its shape and customer: the latest revision, or what was voided last.

    Raises `Missing` event_not_found.
    """
    standing = standing_of(event_id=event_id, source=source)
    if standing is None:
        raise Missing("event_not_found", f"No event {event_id!r} has been accepted.")
    return standing.event


def key_of(event: UsageEvent) -> str:
    """The key of this revision of the event, as 32 hex digits: the id alone is unique for one source only."""
    shape = event.shape
    if shape.revision:
        return revision_key(source=shape.source, event_id=event.event_id, revision=shape.revision)
    return event_key(source=shape.source, event_id=event.event_id)


def event_by_key(key: UUID) -> UsageEvent | None:
    """The revision that has this key, whether it counts or not, with its shape and customer; three queries.

    Keys are hashes, so the event behind one is found among those of its customer and instant.
    """
    revision = EventRevision.objects.filter(key=key).first()
    if revision is not None:
        return event_at(
            Place(
                key, revision.revision, revision.customer_id, revision.timestamp, revision.event_id, "",
                revision.shape_id,
            )
        )  # fmt: skip
    origin = EventKey.objects.filter(key=key, customer_id__isnull=False).first()
    if origin is None or origin.customer_id is None:
        return None
    events = UsageEvent.objects.select_related("customer", "shape").filter(
        customer_id=origin.customer_id, timestamp=origin.timestamp, shape__revision=0
    )
    hour = RawSQL(HOUR_OF.format("%s::timestamptz"), [origin.timestamp])
    events = events.alias(hour=RawSQL(HOUR_OF.format('usage_usageevent."timestamp"'), ())).filter(hour=hour)
    return next((event for event in events.iterator(1000) if UUID(hex=key_of(event)) == key), None)


def events_at(places: Iterable[EventPlace]) -> list[UsageEvent]:
    """The events at these places, in no order, with shapes and customers; three queries, however many there are."""
    wanted = list(places)
    if not wanted:
        return []
    columns = [list(column) for column in zip(*wanted, strict=True)]
    return furnished(UsageEvent.objects.raw(EVENTS_AT, columns))


def furnished(events: Iterable[UsageEvent]) -> list[UsageEvent]:
    found = list(events)
    prefetch_related_objects(found, "shape", "customer")
    return found


def latest_events(customer_id: int) -> QuerySet[UsageEvent]:
    """A customer's events, the latest first, with their shapes; to be sliced.

    By hour first: that is the order of the index, so that only the events of a few hours are read and sorted.
    """
    events = UsageEvent.objects.filter(customer_id=customer_id).select_related("shape", "customer")
    return events.order_by(
        RawSQL(HOUR_OF.format('usage_usageevent."timestamp"'), ()).desc(), "-timestamp", "event_id"
    )
