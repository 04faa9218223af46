"""The numbers of the home page: a fixed number of statements, however many customers there are.

The days are those of UTC, which the totals are kept in. What accrued is in `apps.analytics.accrual`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection
from django.db.models import Count, Min, Sum

from apps.analytics.accrual import Accrual
from apps.analytics.sql import EVENTS_AT_MOST, FIRST_STEPS
from apps.analytics.sums import Money, by_size
from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.invoices.models import Invoice
from apps.usage.models import DayPart, QuarantinedEvent, RollupHour

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
COUNTED_EVENTS = 1_000_000
CHARTED_METERS = 4


@dataclass(frozen=True, slots=True)
class InvoiceSums:
    """`sums` has one entry a currency, the largest first."""

    count: int
    sums: list[Money]


@dataclass(frozen=True, slots=True)
class Waiting:
    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class CustomerCost:
    customer: Customer
    cost: Money


@dataclass(frozen=True, slots=True)
class MeterSeries:
    """Usage of one meter in consecutive buckets, the oldest first."""

    meter: Meter
    buckets: list[tuple[datetime, Decimal]]
    event_count: int

    @property
    def total(self) -> Decimal:
        return sum((quantity for _, quantity in self.buckets), Decimal(0))


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What a tenant has already. `has_events` ends the lesson."""

    has_meter: bool
    has_plan: bool
    has_customer: bool
    has_subscription: bool
    has_events: bool


def day_of(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def month_of(now: datetime) -> datetime:
    return day_of(now).replace(day=1)


def events_between(start: datetime, end: datetime) -> int:
    """Accepted events by their own time; stops at COUNTED_EVENTS + 1, for a page must not count a billion rows."""
    with connection.cursor() as cursor:
        cursor.execute(EVENTS_AT_MOST, [start, end, COUNTED_EVENTS + 1])
        return int(cursor.fetchone()[0])


def top_customers(accrual: Accrual, since: datetime, *, limit: int = 6) -> list[CustomerCost]:
    """Who used most since then, by amount."""
    rows = accrual.largest(since, limit)
    customers = Customer.objects.in_bulk([customer_id for customer_id, _ in rows])
    return [CustomerCost(customers[pk], cost) for pk, cost in rows if pk in customers]


def invoice_sums() -> dict[str, InvoiceSums]:
    """Drafts and open invoices, by status."""
    rows = (
        Invoice.objects.filter(status__in=[Invoice.Status.DRAFT, Invoice.Status.OPEN])
        .order_by()
        .values("status", "currency")
        .annotate(counted=Count("pk"), sum=Sum("total"))
    )
    found = {}
    for status in (Invoice.Status.DRAFT, Invoice.Status.OPEN):
        mine = [row for row in rows if row["status"] == status]
        sums = {row["currency"]: row["sum"] for row in mine}
        found[str(status)] = InvoiceSums(sum(row["counted"] for row in mine), by_size(sums))
    return found


def quarantine_waiting() -> Waiting:
    waiting = QuarantinedEvent.objects.filter(status=QuarantinedEvent.Status.WAITING)
    return Waiting(**waiting.aggregate(count=Count("pk"), oldest=Min("received_at")))


def latest_invoices(limit: int = 6) -> list[Invoice]:
    return list(Invoice.objects.select_related("customer").order_by("-id")[:limit])


def hourly_usage(now: datetime) -> list[MeterSeries]:
    """The last 24 hours of the meters that were used most."""
    end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR
    return usage_series(RollupHour, end - DAY, HOUR, 24)


def daily_usage(now: datetime) -> list[MeterSeries]:
    """The last 30 days, today included."""
    return usage_series(DayPart, day_of(now) - 29 * DAY, DAY, 30)


def usage_series(
    rollup: type[RollupHour] | type[DayPart], start: datetime, step: timedelta, count: int
) -> list[MeterSeries]:
    """Of meters whose totals may be added up over customers: a sum of largest values says nothing."""
    additive = Meter.objects.filter(aggregation__in=[Meter.Aggregation.SUM, Meter.Aggregation.COUNT])
    rows = (
        rollup.objects.filter(
            bucket__gte=start, bucket__lt=start + step * count, meter_id__in=additive.values("pk")
        )
        .order_by()
        .values("meter_id", "bucket")
        .annotate(sum=Sum("quantity"), counted=Sum("event_count"))
    )
    buckets: dict[int, dict[datetime, Decimal]] = {}
    events: dict[int, int] = {}
    for row in rows:
        buckets.setdefault(row["meter_id"], {})[row["bucket"]] = row["sum"]
        events[row["meter_id"]] = events.get(row["meter_id"], 0) + row["counted"]
    meters = Meter.objects.in_bulk(events)
    most = sorted((pk for pk in events if pk in meters), key=lambda pk: (-events[pk], meters[pk].name))
    instants = [start + step * index for index in range(count)]
    return [
        MeterSeries(meters[pk], [(at, buckets[pk].get(at, Decimal(0))) for at in instants], events[pk])
        for pk in most[:CHARTED_METERS]
    ]


def first_steps() -> FirstSteps:
    """One statement of five index look-ups."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_STEPS)
        return FirstSteps(*cursor.fetchone())


def overdue_count(today: datetime) -> int:
    """Of those on which something is owed: what was billed ahead may leave nothing, and credits wait for nobody."""
    late = Invoice.objects.filter(status=Invoice.Status.OPEN, due_on__lt=today.date(), total__gt=0)
    return late.count()
