"""Look for events as people do, on a table of hundreds of millions: each way reads a bounded part of it.

By id through the keys. By customer through the index on customer and hour, the latest hour first; with a meter or a
name only the hours for which there are totals. By time, name or meter alone through the hours of those customers that
the totals name. By nothing the end of the newest partitions: events are only ever added, so what came in last lies
there. Nothing is counted, and no partition is sorted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import TruncDay

from apps.usage.identity import event_key
from apps.usage.models import (
    BackfilledReading,
    DayMark,
    EventKey,
    EventRevision,
    RollupDay,
    RollupHour,
    UsageCorrection,
    UsageEvent,
    VoidedEvent,
)
from apps.usage.selectors.asked import AMENDED, COUNTED, VOIDED, Asked, Found, meters_of
from apps.usage.selectors.events import EventPlace, events_at, key_of, latest_events
from apps.usage.selectors.found_without_customer import by_hours, newest
from apps.usage.selectors.sql import HOUR_OF

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# With a meter or a name: so many of a customer's latest days with totals are looked at.
DAYS = 62
CORRECTED = 2_000

EVENT_HOUR = HOUR_OF.format('usage_usageevent."timestamp"')


def find_events(asked: Asked, *, offset: int, limit: int) -> Found:
    """A fixed number of queries, whichever way is taken."""
    if asked.ids:
        found = Found(page_of(by_ids(asked), offset, limit))
    elif asked.verdict in (VOIDED, AMENDED):
        found = by_correction(asked, offset, limit)
    elif asked.customer_id is not None:
        found = by_customer(asked, offset, limit)
    elif asked.event_name or any((asked.meter_id, asked.starts_at, asked.ends_at)):
        found = by_hours(asked, offset, limit)
    else:
        found = newest(asked, offset, limit)
    keys = [key_of(event) for event in found.events]
    found.voided = set(VoidedEvent.objects.filter(key__in=keys).values_list("key", flat=True))
    return found


# By id


def by_ids(asked: Asked) -> list[UsageEvent]:
    """All revisions of the ids that fit what else is asked."""
    keys = [event_key(source=source, event_id=event_id) for source, event_id in asked.ids]
    wanted = {UUID(hex=key): pair for key, pair in zip(keys, asked.ids, strict=True)}
    found = []
    for origin in EventKey.objects.filter(key__in=wanted, customer_id__isnull=False):
        source, event_id = wanted[origin.key]
        events = latest_events(origin.customer_id or 0).filter(
            timestamp=origin.timestamp, event_id=event_id, shape__source=source, shape__revision=0
        )
        found += list(in_hours(events, origin.timestamp, origin.timestamp))
    revisions = EventRevision.objects.filter(root_key__in=wanted)
    found += events_at((one.customer_id, one.timestamp, one.event_id, one.shape_id) for one in revisions)
    return sorted(
        fitting(asked, found), key=lambda event: (event.shape.revision, event.timestamp), reverse=True
    )


def waiting_ids(asked: Asked) -> list[str]:
    """The ids that wait in quarantine."""
    keys = {event_key(source=source, event_id=event_id): event_id for source, event_id in asked.ids}
    rows = EventKey.objects.filter(key__in=keys, customer_id__isnull=True).values_list("key", flat=True)
    return [keys[key.hex] for key in rows]


# What was corrected


def by_correction(asked: Asked, offset: int, limit: int) -> Found:
    """Voided events, or those that took the place of others: few, so they have an index of their own."""
    model: type[VoidedEvent] | type[EventRevision] = VoidedEvent if asked.verdict == VOIDED else EventRevision
    rows: QuerySet[VoidedEvent] | QuerySet[EventRevision] = model.objects.order_by("-correction_id")
    if asked.customer_id is not None:
        rows = rows.filter(customer_id=asked.customer_id)
    if asked.verdict == AMENDED:
        rows = rows.filter(correction__kind=UsageCorrection.Kind.AMEND)
    places: list[EventPlace] = list(
        rows.filter(in_range(asked)).values_list("customer_id", "timestamp", "event_id", "shape_id")[
            :CORRECTED
        ]
    )
    events = sorted(fitting(asked, events_at(places)), key=lambda event: event.timestamp, reverse=True)
    reach = (
        f"Looked at the {CORRECTED:,} events that were corrected last." if len(places) == CORRECTED else ""
    )
    return Found(page_of(events, offset, limit), reach)


def fitting(asked: Asked, events: Iterable[UsageEvent]) -> list[UsageEvent]:
    return [
        event
        for event in events
        if (asked.customer_id is None or event.customer_id == asked.customer_id)
        and (not asked.event_name or event.event_name == asked.event_name)
        and (asked.meter_id is None or asked.meter_id in event.shape.meter_ids)
        and (asked.starts_at is None or event.timestamp >= asked.starts_at)
        and (asked.ends_at is None or event.timestamp < asked.ends_at)
    ]


def page_of(events: list[UsageEvent], offset: int, limit: int) -> list[UsageEvent]:
    return events[offset : offset + limit]


def in_range(asked: Asked) -> Q:
    found = Q()
    if asked.starts_at is not None:
        found &= Q(timestamp__gte=asked.starts_at)
    if asked.ends_at is not None:
        found &= Q(timestamp__lt=asked.ends_at)
    return found


# By customer


def by_customer(asked: Asked, offset: int, limit: int) -> Found:
    assert asked.customer_id is not None
    events = latest_events(asked.customer_id).filter(in_range(asked))
    by_totals = asked.meter_id is not None or bool(asked.event_name)
    if by_totals:
        hours = hours_with_totals(asked, offset + limit)
        if not hours:
            return Found([])
        events = events.filter(timestamp__gte=hours[-1], timestamp__lt=hours[0] + HOUR).extra(
            where=[f"{EVENT_HOUR} = ANY(%s)"], params=[hours]
        )
        events = events.filter(what_is_read(asked))
    elif asked.starts_at is not None or asked.ends_at is not None:
        events = in_hours(events, asked.starts_at, asked.ends_at)
    if asked.verdict == COUNTED:
        events = events.exclude(Exists(VoidedEvent.objects.filter(**same_place())))
    found = list(events[offset : offset + limit])
    is_short = by_totals and len(found) < limit
    return Found(
        found, f"Looked at the latest {DAYS} days on which there are such events." if is_short else ""
    )


def in_hours(
    events: QuerySet[UsageEvent], start: datetime | None, end: datetime | None
) -> QuerySet[UsageEvent]:
    """The hours from that of `start` to that of `end`, which is what the index knows."""
    if start is not None:
        events = events.extra(where=[f"{EVENT_HOUR} >= %s"], params=[hour_of(start)])
    if end is not None:
        events = events.extra(where=[f"{EVENT_HOUR} <= %s"], params=[hour_of(end)])
    return events


def hours_with_totals(asked: Asked, wanted: int) -> list[datetime]:
    """The customer's latest hours in which the meters counted `wanted` events in all, or what there is; two queries.

    An event counts for several meters of its name, so an hour has at least as many as one of them counted.
    """
    totals = {"customer_id": asked.customer_id, "meter_id__in": meters_of(asked)}
    days = RollupDay.objects.filter(**totals).order_by("-bucket")
    hours = RollupHour.objects.filter(**totals)
    if asked.starts_at is not None:
        days = days.filter(bucket__gte=day_of(asked.starts_at))
        hours = hours.filter(bucket__gte=hour_of(asked.starts_at))
    if asked.ends_at is not None:
        days, hours = days.filter(bucket__lt=asked.ends_at), hours.filter(bucket__lt=asked.ends_at)
    # Each side of the mark by its own index, and neither further back than so many days.
    mark = Subquery(DayMark.objects.values("complete_before"))
    older = days.filter(bucket__lt=mark).values_list("bucket", flat=True).distinct()[:DAYS]
    newer = hours.filter(bucket__gte=mark).values_list(TruncDay("bucket", tzinfo=UTC), flat=True).distinct()
    latest = sorted(newer.union(older), reverse=True)[:DAYS]
    if not latest:
        return []
    rows = (
        hours.filter(bucket__gte=latest[-1], bucket__lt=latest[0] + DAY)
        .order_by("-bucket")
        .values_list("bucket", "meter_id")
        .annotate(events=Sum("event_count"))
    )
    found: dict[datetime, int] = {}
    for bucket, _, events in rows:
        # The hours at the edges of what is asked may hold events outside of it.
        is_whole = (asked.starts_at is None or bucket >= asked.starts_at) and (
            asked.ends_at is None or bucket + HOUR <= asked.ends_at
        )
        found[bucket] = max(found.get(bucket, 0), events if is_whole else 0)
    counted = 0
    for index, events in enumerate(found.values()):
        counted += events
        if counted >= wanted:
            return list(found)[: index + 1]
    return list(found)


def what_is_read(asked: Asked) -> Q:
    found = Q(shape__event_name=asked.event_name) if asked.event_name else Q()
    if asked.meter_id is not None:
        later = BackfilledReading.objects.filter(**same_place(), meter_id=asked.meter_id)
        found &= Q(shape__meter_ids__contains=[asked.meter_id]) | Q(Exists(later))
    return found


def same_place() -> dict[str, OuterRef]:
    return {name: OuterRef(name) for name in ("customer_id", "timestamp", "event_id", "shape_id")}


def hour_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(instant: datetime) -> datetime:
    return hour_of(instant).replace(hour=0)
