"""A month's usage of the hottest customer by dimension, with more and more events stored: milliseconds of SQL."""

import statistics
import time
from datetime import datetime, timedelta

from django.db import connections
from django_tenants.utils import tenant_context

from apps.catalog.models import Meter
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage import selectors
from tests.bench import workload
from tests.bench.tenant import SCHEMA

RUNS = 101
# A series takes a fifth of a second, in which other work on the machine may take a core away. The quietest counts.
SERIES = 7
PAUSE_SECONDS = 0.5
AIM_MS = 5.0
MOST_GROWTH = 2.0


def month_by_dimension(end: datetime) -> float:
    """The least median of several series, in milliseconds, from the question to the rows in Python."""
    with tenant_context(Tenant.objects.get(slug=SCHEMA)):
        hottest = Customer.objects.get(external_id=workload.customer_name(workload.HOT))
        meters = list(Meter.objects.values_list("pk", flat=True))
        medians = []
        for _ in range(SERIES):
            medians.append(median_of_series(hottest.pk, meters, end))
            time.sleep(PAUSE_SECONDS)
    connections.close_all()
    return min(medians)


def median_of_series(customer_id: int, meters: list[int], end: datetime) -> float:
    seen = []
    for _ in range(RUNS):
        began = time.perf_counter()
        found = selectors.quantities_by_dimension_over(
            customer_id=customer_id, meter_ids=meters, periods=[(end - timedelta(days=30), end)]
        )
        seen.append(1000 * (time.perf_counter() - began))
        assert all(found[0][meter] for meter in meters)
    return statistics.median(seen)


def show(medians: dict[int, float]) -> None:
    print("\nA month of the hottest customer by dimension\n")
    for events, median in medians.items():
        verdict = "under" if median < AIM_MS else "OVER"
        print(f"{events:>12,} events stored       {median:.2f} ms ({verdict} the {AIM_MS:.0f} ms aimed at)")
    growth = max(medians.values()) / min(medians.values())
    print(f"slowest beside quickest        {growth:.2f} (aim {MOST_GROWTH:.0f} or less)")
