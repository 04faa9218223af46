"""Events a second, end to end over HTTP with millions stored, beside raw COPY into the same tables in the same run."""

import statistics
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from django.db import connections
from django_tenants.utils import tenant_context

from apps.catalog.models import Meter
from apps.catalog.services.meters import create_meter
from apps.core.models import random_id
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage.services.partitions import ensure_partitions
from tests.bench import client, cpu, queries, raw_copy, stored, web, workload
from tests.bench.tenant import SCHEMA

WEB_WORKERS = 2
WEB_THREADS = 8
HISTORY = timedelta(days=20)
STEPS = (10_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Load:
    """A kind of load, and what is aimed at: events a second on two cores."""

    name: str
    batch_size: int
    connections: int
    events: int
    aim: int
    customer: int | None = None


LOADS = [
    Load("batches of 1,000", 1_000, 16, 400_000, 100_000),
    Load("batches of 100", 100, 64, 200_000, 60_000),
    Load("single events", 1, 128, 20_000, 10_000),
    Load("1,000s, one hot customer, 8 clients", 1_000, 8, 200_000, 50_000, workload.HOT),
    Load("100s, one hot customer, 8 clients", 100, 8, 100_000, 30_000, workload.HOT),
    Load("singles, one hot customer, 64 clients", 1, 64, 20_000, 5_000, workload.HOT),
]
HALF_LOAD_AIM_MS = 50
COPY_AIM = 0.4
BYTES_AIM = 250


def measure(*, url: str, key: str, postgres_pid: int, events: int, rounds: int) -> None:
    """`events` are stored before anything is measured."""
    prepare()
    with web.server(workers=WEB_WORKERS, threads=WEB_THREADS) as server:
        port = server.port
        spenders = {"web": server.pid, "PostgreSQL": postgres_pid}
        warm_up(port, key)
        queries.show(history(url, events))
        print(
            f"\nIngestion with {events:,} events stored: {rounds} rounds, medians; {WEB_WORKERS} web processes,"
            f" 2 client processes,\n5 properties, 2 meters, {workload.CUSTOMERS:,} customers, rollups kept, fsync on;"
            " client, server and PostgreSQL share this machine.\n"
        )
        print(f"{'':38} {'events/s':>10} {'aim':>10} {'p50':>8} {'p99':>8}   CPU an event")
        rates: dict[str, float] = {}
        for load in LOADS:
            before = {name: cpu.seconds_below(pid) for name, pid in spenders.items()}
            seen = [run(port, key, load, seed=number) for number in range(rounds)]
            spent = {
                name: 1e6 * (cpu.seconds_below(pid) - before[name]) / (load.events * rounds)
                for name, pid in spenders.items()
            }
            rates[load.name] = statistics.median(load.events / one.seconds for one in seen)
            show(load.name, rates[load.name], load.aim, seen, spent)
        half = rates["batches of 100"] / 2
        paced = run(port, key, LOADS[1], seed=100, pace=half / 100)
        show("batches of 100 at half load", LOADS[1].events / paced.seconds, int(half), [paced], {})
        verdict = "under" if paced.percentile_ms(0.99) < HALF_LOAD_AIM_MS else "OVER"
        print(f"p99 at half load               {verdict} the {HALF_LOAD_AIM_MS} ms aimed at")
        beside_copy(url, port, key, rounds)
    print_sizes(url)


def run(port: int, key: str, load: Load, *, seed: int, pace: float | None = None) -> client.Sent:
    bodies = workload.bodies(
        events=load.events, batch_size=load.batch_size, seed=hash((load.name, seed)), customer=load.customer
    )
    sent = client.send_all(
        port=port, key=key, bodies=bodies, processes=2, connections=load.connections, pace=pace
    )
    if sent.accepted != load.events:
        raise SystemExit(
            f"{sent.accepted:,} of {load.events:,} events were accepted; this is no measurement."
        )
    return sent


def show(name: str, rate: float, aim: int, seen: list[client.Sent], spent: dict[str, float]) -> None:
    p50, p99 = (statistics.median(one.percentile_ms(share) for one in seen) for share in (0.5, 0.99))
    shares = ", ".join(f"{who} {micros:.1f} µs" for who, micros in spent.items())
    print(f"{name:38} {rate:>8,.0f}/s {aim:>8,}/s {p50:>6.1f}ms {p99:>6.1f}ms   {shares}", flush=True)


def beside_copy(url: str, port: int, key: str, rounds: int) -> None:
    """Interleaved: over HTTP, then the same rows by COPY with one and with two connections."""
    load = LOADS[0]
    http, one, two = [], [], []
    print(f"\n{'round':>8} {'over HTTP':>12} {'COPY x1':>12} {'COPY x2':>12}")
    for number in range(rounds):
        since = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
        http.append(load.events / run(port, key, load, seed=200 + number).seconds)
        for seen, connections_ in ((one, 1), (two, 2)):
            rows = raw_copy.take_rows(url, SCHEMA, since=since, count=load.events)
            count = len(rows["usage_usageevent"])
            seen.append(count / raw_copy.copy_rows(url, SCHEMA, rows, connections_))
        print(f"{number + 1:>8} {http[-1]:>10,.0f}/s {one[-1]:>10,.0f}/s {two[-1]:>10,.0f}/s", flush=True)
    middle, limit_1, limit_2 = (statistics.median(seen) for seen in (http, one, two))
    print(f"\nratio to one COPY connection   {middle / limit_1:.3f}")
    print(f"ratio to two COPY connections  {middle / limit_2:.3f} (aim {COPY_AIM} or more)")


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


def warm_up(port: int, key: str) -> None:
    """Every shape, partition and connection exists from here on, as in a server that has run for a minute."""
    for number in range(10):
        run(port, key, Load("warm up", 500, 8, 8_000, 0), seed=number)


def history(url: str, events: int) -> dict[int, float]:
    """Fill the last weeks, in steps; at each the median of a month's query."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    with tenant_context(Tenant.objects.get(slug=SCHEMA)):
        ensure_partitions([end - HISTORY, end])
    connections.close_all()
    medians = {}
    there = 0
    for wanted in (*(step for step in STEPS if step < events), events):
        stored.store(
            url,
            events=wanted - there,
            start=end - HISTORY,
            end=end,
            customers=workload.CUSTOMERS,
        )
        there = wanted
        medians[wanted] = queries.month_by_dimension(end)
    return medians


def print_sizes(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path TO {SCHEMA}")
        row = connection.execute(
            "SELECT (SELECT count(*) FROM usage_usageevent),"
            " (SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('usage_usageevent')),"
            " pg_total_relation_size('usage_eventkey')"
        ).fetchone()
        assert row is not None
        count, events, keys = (float(value) for value in row)
        print(
            f"\nbytes an event on disk         {(events + keys) / count:.0f} (event {events / count:.0f},"
            f" identity {keys / count:.0f}; indexes included, rollups apart; aim under {BYTES_AIM})"
        )
