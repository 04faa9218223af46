"""Events a second, end to end over HTTP, beside a raw COPY of the same rows in the same run."""

import statistics
from dataclasses import dataclass

import psycopg
from django.db import connections
from django_tenants.utils import tenant_context

from apps.catalog.models import Meter
from apps.catalog.services.meters import create_meter
from apps.core.models import random_id
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from tests.bench import client, raw_copy, web, workload
from tests.bench.tenant import SCHEMA

WEB_WORKERS = 2
WEB_THREADS = 8


@dataclass(frozen=True, slots=True)
class Round:
    """Events a second."""

    http: float
    copy_1: float
    copy_2: float
    median_ms: float
    p99_ms: float


def measure(*, url: str, key: str, events: int, rounds: int, batch_size: int, clients: int) -> None:
    prepare()
    raw_copy.make_twins(url, SCHEMA, ["twin_1", "twin_2"])
    print(
        f"Ingestion: {rounds} rounds of {events:,} events in batches of {batch_size:,}, {clients} client processes, "
        f"{WEB_WORKERS} web processes,\n5 properties, 2 meters, {workload.CUSTOMERS:,} customers, fsync on; "
        "client, server and PostgreSQL share this machine.\n"
    )
    print(f"{'round':>8} {'over HTTP':>12} {'COPY x1':>12} {'COPY x2':>12} {'p50':>8} {'p99':>8}")
    seen: list[Round] = []
    with web.server(workers=WEB_WORKERS, threads=WEB_THREADS) as port:
        for number in range(1, rounds + 1):
            seen.append(
                one_round(url, port, key, events=events, batch_size=batch_size, clients=clients, seed=number)
            )
            show(str(number), seen[-1])
    middle = Round(*(statistics.median(column) for column in zip(*map(columns, seen), strict=True)))
    show("median", middle)
    print(f"\nratio to one COPY connection   {middle.http / middle.copy_1:.3f}")
    print(f"ratio to two COPY connections  {middle.http / middle.copy_2:.3f}")
    print(
        f"bytes an event on disk         {bytes_per_event(url):.0f} (table and indexes of the events, rollups apart)"
    )


def columns(one: Round) -> tuple[float, ...]:
    return one.http, one.copy_1, one.copy_2, one.median_ms, one.p99_ms


def show(name: str, one: Round) -> None:
    print(
        f"{name:>8} {one.http:>10,.0f}/s {one.copy_1:>10,.0f}/s {one.copy_2:>10,.0f}/s"
        f" {one.median_ms:>6.0f}ms {one.p99_ms:>6.0f}ms",
        flush=True,
    )


def prepare() -> None:
    """Two meters and the customers."""
    with tenant_context(Tenant.objects.get(slug=SCHEMA)):
        for name in ("input_tokens", "output_tokens"):
            create_meter(
                code=name,
                name=name,
                event_name="llm.call",
                aggregation=Meter.Aggregation.SUM,
                value_property=name,
                dimensions=["model"],
                unit="token",
            )
        names = [workload.customer_name(number) for number in range(workload.CUSTOMERS)]
        Customer.objects.bulk_create(
            Customer(public_id=random_id("cus"), external_id=name, name=name) for name in names
        )
    connections.close_all()


def one_round(
    url: str, port: int, key: str, *, events: int, batch_size: int, clients: int, seed: int
) -> Round:
    bodies = workload.bodies(events=events, batch_size=batch_size, seed=seed)
    sent = client.send_all(port=port, key=key, bodies=bodies, clients=clients)
    if sent.accepted != events:
        raise SystemExit(f"{sent.accepted:,} of {events:,} events were accepted; this is no measurement.")
    rows = raw_copy.take_rows(url, SCHEMA, f"{seed}-")
    assert len(rows) == events
    return Round(
        http=events / sent.seconds,
        copy_1=events / raw_copy.copy_rows(url, SCHEMA, "twin_1", rows, 1),
        copy_2=events / raw_copy.copy_rows(url, SCHEMA, "twin_2", rows, 2),
        median_ms=1000 * statistics.median(sent.latencies),
        p99_ms=1000 * sent.latencies[int(len(sent.latencies) * 0.99)],
    )


def bytes_per_event(url: str) -> float:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            f"SELECT pg_total_relation_size('{SCHEMA}.usage_usageevent')::numeric / count(*)"
            f" FROM {SCHEMA}.usage_usageevent"
        ).fetchone()
        assert row is not None
        return float(row[0])
