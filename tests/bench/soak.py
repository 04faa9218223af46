"""`make soak`: full rate for a quarter of an hour, over many midnights of a sandbox's clock.

Memory must stay flat, latency must not grow, each day must find its partition, and at the end the totals must be
those of the events that were acknowledged.
"""

import argparse
import logging
import os
import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import django
import httpx
import psycopg

from config.local import paths
from config.local.lease import lease
from config.local.postgres import Postgres
from tests.bench import database
from tests.bench.__main__ import LARGE

BATCH = 1_000
CONNECTIONS = 8
PATTERNS = 40
# Three and a half midnights a minute would pass a real one every 7 minutes.
STEP = timedelta(hours=7)
# The last third beside the first: more is growth.
MOST_GROWTH = 1.25
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Minute:
    rate: float
    median_ms: float
    p99_ms: float
    web_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=__doc__)
    parser.add_argument("--minutes", type=int, default=15)
    minutes = parser.parse_args().minutes
    paths.prepare()
    server = Postgres(paths.LOCAL / "bench-postgres", settings=LARGE)
    with lease(server), database.fresh(server) as url:
        os.environ["DATABASE_URL"] = url
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.local"
        django.setup()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        raise SystemExit(soak(url, minutes))


def soak(url: str, minutes: int) -> int:
    """Returns the number of broken promises."""
    # Models can be imported only now: the settings had to name this database first.
    from django_tenants.utils import tenant_context  # noqa: PLC0415

    from apps.tenants.models import Tenant  # noqa: PLC0415
    from apps.usage.models import UsageSettings  # noqa: PLC0415
    from tests.bench import client, ingestion, tenant, web, workload  # noqa: PLC0415

    key = tenant.make(is_sandbox=True)
    ingestion.prepare()
    sandbox = Tenant.objects.get(slug=tenant.SCHEMA)
    clock = sandbox.clock_at
    assert clock is not None
    with tenant_context(sandbox):
        UsageSettings.objects.create(pk=1, partition_span=UsageSettings.PartitionSpan.DAY)
    django.db.connections.close_all()
    seen: list[Minute] = []
    accepted = 0
    print(f"{'minute':>6} {'events/s':>11} {'p50':>8} {'p99':>8} {'web memory':>12}   clock", flush=True)
    with web.server(workers=ingestion.WEB_WORKERS, threads=ingestion.WEB_THREADS) as server:
        bodies = [workload.patterns(batches=PATTERNS, batch_size=BATCH, seed=seed) for seed in range(2)]
        for minute in range(minutes):
            patterns = [
                client.Pattern(made, BATCH, (minute * 2 + number) << 40) for number, made in enumerate(bodies)
            ]
            sent = client.send_for(
                port=server.port, key=key, seconds=60, patterns=patterns, connections=CONNECTIONS
            )
            accepted += sent.accepted
            clock += STEP
            advance(server.port, key, clock)
            seen.append(
                Minute(
                    sent.accepted / sent.seconds,
                    sent.percentile_ms(0.5),
                    sent.percentile_ms(0.99),
                    memory_below(server.pid) / MIB,
                )
            )
            one = seen[-1]
            print(
                f"{minute + 1:>6} {one.rate:>9,.0f}/s {one.median_ms:>6.0f}ms {one.p99_ms:>6.0f}ms"
                f" {one.web_mib:>8.0f} MiB   {clock:%Y-%m-%d %H:%M}",
                flush=True,
            )
    return judge(url, seen, accepted, tenant.SCHEMA)


def advance(port: int, key: str, to: datetime) -> None:
    """Move the sandbox's clock, with all that becomes due on the way."""
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as api:
        api.post("/test_clock/advance", json={"to": to.isoformat()}).raise_for_status()


def memory_below(root: int) -> int:
    """Bytes that a process and its children have for themselves (Linux)."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if root in (int(lines["Pid"]), int(lines["PPid"])):
            total += int(lines.get("RssAnon", "0 kB").split()[0]) * 1024
    return total


def judge(url: str, seen: list[Minute], accepted: int, schema: str) -> int:
    third = max(1, len(seen) // 3)
    growth = {
        name: statistics.median(getattr(one, name) for one in seen[-third:])
        / statistics.median(getattr(one, name) for one in seen[:third])
        for name in ("median_ms", "p99_ms", "web_mib")
    }
    promises = {
        f"{name}: last third {ratio:.2f} of the first": ratio < MOST_GROWTH for name, ratio in growth.items()
    }
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path TO {schema}")
        row = connection.execute(
            "SELECT (SELECT count(*) FROM usage_usageevent), (SELECT count(*) FROM usage_eventkey),"
            " (SELECT sum(event_count) FROM usage_rolluphour) / 2, (SELECT sum(event_count) FROM usage_daypart) / 2,"
            " (SELECT sum(value::numeric) FROM usage_reading) = (SELECT sum(quantity) FROM usage_daypart),"
            " (SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage_usageevent'::regclass),"
            " (SELECT count(DISTINCT date_trunc('day', \"timestamp\")) FROM usage_usageevent)"
        ).fetchone()
    assert row is not None
    *counts, are_equal, partitions, days = row
    promises[f"{accepted:,} events acknowledged, stored and counted"] = all(one == accepted for one in counts)
    promises["totals equal a scan of all events"] = are_equal
    promises[f"{days} days with events, {partitions} partitions"] = partitions >= days > 1
    print()
    for promise, is_kept in promises.items():
        print(f"{'kept  ' if is_kept else 'BROKEN'} {promise}")
    return sum(not is_kept for is_kept in promises.values())


if __name__ == "__main__":
    main()
