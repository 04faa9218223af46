"""Closing: subscriptions a second and queries for each, with a thousand and ten thousand that are due at once.

Each has three usage lines. Usage is stored as daily totals, as ingestion leaves it behind: ten or a hundred events a
day, meter and customer, which is all that closing reads of periods that begin and end at midnight (UTC).
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
from django.db import connections
from django_tenants.utils import tenant_context

from apps.catalog.models import Meter, PlanVersion
from apps.catalog.services import plans, versions
from apps.catalog.services.meters import create_meter
from apps.catalog.services.plans import NewPrice
from apps.core.models import random_id
from apps.customers.models import Customer
from apps.invoices.models import BillingRunAmount, Invoice, InvoiceLine
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.tenants.models import Tenant
from tests.bench import cpu
from tests.bench.tenant import SCHEMA

SIZES = (1_000, 10_000)
# Months that are finalized, of those with a past.
PAST = 12
AIM = 300
METERS = ("requests", "seconds", "bytes")
JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
# Events a day, of one meter and customer.
EVENTS = {FEBRUARY: 10, MARCH: 100}

USAGE = """
INSERT INTO usage_rollupday (customer_id, meter_id, bucket, dimension_set_id, quantity, event_count)
SELECT customer.id, meter.id, day, sets.id, %(events)s * (1 + customer.id %% 7), %(events)s
  FROM customers_customer AS customer
 CROSS JOIN catalog_meter AS meter
 CROSS JOIN generate_series(%(start)s, %(end)s - interval '1 day', interval '1 day') AS day
 CROSS JOIN (SELECT id FROM usage_dimensionset ORDER BY id LIMIT 1) AS sets
 WHERE meter.code = ANY(%(meters)s) AND customer.external_id LIKE %(customers)s
"""
# By one statement: what finalizing costs is not what is measured here.
FINALIZE = """
UPDATE invoices_invoice SET status = 'open', number = 'BENCH-' || id, finalized_at = %(now)s, due_on = '2026-12-31'
 WHERE status = 'draft'
"""
DIMENSIONS = """
INSERT INTO usage_dimensionset (key, "values") VALUES (gen_random_uuid(), '{}') ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Closed:
    """What a run of some workers did, and what it cost."""

    subscriptions: int
    seconds: float
    queries: int
    web_seconds: float
    postgres_seconds: float

    @property
    def rate(self) -> float:
        return self.subscriptions / self.seconds


def measure(*, url: str, postgres_pid: int, sizes: Sequence[int] = SIZES) -> None:
    version = prepare()
    print(f"\nClosing, three usage lines each; workers and PostgreSQL share this machine. Aim {AIM}/s.\n")
    print(
        f"{'due at once':>12} {'events':>12} {'workers':>8} {'subscriptions/s':>16} {'queries each':>13}   CPU each"
    )
    for size in sizes:
        for workers in (1, 2):
            prefix = f"closing-{size}-{workers}"
            subscribe(version, prefix, size)
            for start, end in ((JANUARY, FEBRUARY), (FEBRUARY, MARCH)):
                store_usage(url, prefix, start, end)
                show(size, end - start, EVENTS[end], workers, close(end, workers, postgres_pid))
            check(prefix, size)
    with_a_past(url, version, postgres_pid)


def with_a_past(url: str, version: PlanVersion, postgres_pid: int) -> None:
    """Closing looks again at all periods that were billed: what comes of that when they are many."""
    prefix, workers = f"closing-past-{PAST}", 2
    subscribe(version, prefix, SIZES[0], started_at=month(-PAST))
    for number in range(-PAST, 1):
        start, end = month(number), month(number + 1)
        store_usage(url, prefix, start, end)
        closed = close(end, workers, postgres_pid)
        if number in (-PAST, 0):
            print(f"with {number + PAST} finalized months before:")
            show(SIZES[0], end - start, EVENTS.get(end, 10), workers, closed)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"SET search_path TO {SCHEMA}")
            connection.execute(FINALIZE, {"now": end})


def month(number: int) -> datetime:
    """The first of a month, counted from January."""
    years, index = divmod(number, 12)
    return datetime(2026 + years, index + 1, 1, tzinfo=UTC)


def show(size: int, length: timedelta, events: int, workers: int, closed: Closed) -> None:
    if closed.subscriptions != size:
        raise SystemExit(f"{closed.subscriptions:,} of {size:,} were closed; this is no measurement.")
    total = size * events * length.days * len(METERS)
    each = 1e3 / closed.subscriptions
    print(
        f"{size:>12,} {total:>12,} {workers:>8} {closed.rate:>14,.0f}/s {closed.queries / size:>13.3f}"
        f"   worker {each * closed.web_seconds:.2f} ms, PostgreSQL {each * closed.postgres_seconds:.2f} ms",
        flush=True,
    )


def prepare() -> PlanVersion:
    """Three meters, and a plan that charges for each."""
    with tenant_context(Tenant.objects.get(slug=SCHEMA)):
        for code in METERS:
            create_meter(
                code=code,
                name=code.title(),
                event_name=f"bench.{code}",
                aggregation=Meter.Aggregation.SUM,
                value_property=code,
                unit=code,
            )
        prices = [
            NewPrice(
                code=code, name=code.title(), model="per_unit", meter=code, unit_amount=Decimal("0.0125")
            )
            for code in METERS
        ]
        draft = plans.create_plan(code="closing", name="Closing", currency="USD", prices=prices)
        version = versions.publish_version(version=draft, now=JANUARY)
    connections.close_all()
    return version


def subscribe(version: PlanVersion, prefix: str, count: int, started_at: datetime = JANUARY) -> None:
    """Customers and subscriptions, as the services store them, without their checks one by one."""
    with tenant_context(Tenant.objects.get(slug=SCHEMA)):
        customers = Customer.objects.bulk_create(
            Customer(
                public_id=random_id("cus"),
                external_id=f"{prefix}-{number}",
                name=f"{prefix}-{number}",
                currency="USD",
                created_at=JANUARY,
            )
            for number in range(count)
        )
        subscriptions = Subscription.objects.bulk_create(
            Subscription(
                public_id=random_id("sub"),
                customer=customer,
                plan_version=version,
                time_zone="UTC",
                started_at=started_at,
                invoiced_until=started_at,
                next_boundary_at=month_after(started_at),
                created_at=JANUARY,
            )
            for customer in customers
        )
        SubscriptionPhase.objects.bulk_create(
            SubscriptionPhase(subscription=one, plan_version=version, starts_at=started_at)
            for one in subscriptions
        )
    connections.close_all()


def month_after(start: datetime) -> datetime:
    return month((start.year - 2026) * 12 + start.month)


def store_usage(url: str, prefix: str, start: datetime, end: datetime) -> None:
    given = {
        "events": EVENTS.get(end, 10),
        "start": start,
        "end": end,
        "meters": list(METERS),
        "customers": f"{prefix}-%",
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {SCHEMA}")
        connection.execute(DIMENSIONS)
        connection.execute(USAGE.encode(), given)
        for table in (
            "usage_rollupday", "customers_customer", "subscriptions_subscription", "subscriptions_subscriptionphase",
            "invoices_invoice", "invoices_invoiceline",
        ):  # fmt: skip
            connection.execute(f"VACUUM ANALYZE {table}")
        connection.execute("CHECKPOINT")


def close(now: datetime, workers: int, postgres_pid: int) -> Closed:
    """Processes that are ready wait for a line, so that what is measured begins with the first query."""
    command = [sys.executable, "-m", "tests.bench.closing_worker", now.isoformat()]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    before, began = cpu.seconds_below(postgres_pid), time.perf_counter()
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    answers = [json.loads(one.stdout.readline()) for one in started if one.stdout is not None]
    seconds = time.perf_counter() - began
    spent = cpu.seconds_below(postgres_pid) - before
    for one in started:
        one.communicate()
    return Closed(
        subscriptions=sum(answer["closed"] for answer in answers),
        seconds=seconds,
        queries=sum(answer["queries"] for answer in answers),
        web_seconds=sum(answer["cpu_seconds"] for answer in answers),
        postgres_seconds=spent,
    )


def check(prefix: str, size: int) -> None:
    """That what was measured was billing: two drafts each, with three lines that are not zero."""
    with tenant_context(Tenant.objects.get(slug=SCHEMA)):
        drafts = Invoice.objects.filter(customer__external_id__startswith=f"{prefix}-")
        lines = InvoiceLine.objects.filter(invoice__in=drafts, amount__gt=0).count()
        if (drafts.count(), lines) != (2 * size, 6 * size) or not BillingRunAmount.objects.exists():
            raise SystemExit(f"{drafts.count():,} drafts with {lines:,} lines: this is no measurement.")
    connections.close_all()
