"""From when on usage itself still needs its events."""

from datetime import UTC, datetime

from django.db.models import Min

from apps.usage.models import MeterBackfill, UsageBackfill

# Before any event.
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def open_backfills_need() -> datetime | None:
    """A backfill that is not closed yet may replace what is in its range."""
    found: datetime | None = UsageBackfill.objects.filter(status=UsageBackfill.Status.OPEN).aggregate(
        at=Min("starts_at")
    )["at"]
    return found


def meter_backfills_need() -> datetime | None:
    """A meter that reads old events has to find them."""
    unfinished = MeterBackfill.objects.filter(
        status__in=[MeterBackfill.Status.QUEUED, MeterBackfill.Status.RUNNING]
    )
    starts = list(unfinished.values_list("starts_at", flat=True))
    return min((start or BEGINNING for start in starts), default=None)
