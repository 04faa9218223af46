"""`make bench`: a database and a web server of its own, the measurements, a table, and everything gone again."""

import argparse
import os

import django

from config.local import paths
from config.local.lease import lease
from config.local.postgres import Postgres
from config.local.postmaster import Postmaster
from tests.bench import database

# What docs/scaling.md advises for a server of this size.
LARGE = (("shared_buffers", "4GB"), ("max_wal_size", "16GB"), ("checkpoint_timeout", "30min"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument(
        "--stored", type=int, default=10_000_000, help="events that are there already (default 10,000,000)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians are printed (default 3)")
    parser.add_argument(
        "--only", choices=["ingestion", "preview", "closing"], help="one of them (default all)"
    )
    options = parser.parse_args()

    paths.prepare()
    # Durable as in production: fsync, full-page writes and synchronous commit are on.
    server = Postgres(paths.LOCAL / "bench-postgres", settings=LARGE)
    with lease(server), database.fresh(server) as url:
        os.environ["DATABASE_URL"] = url
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.local"
        django.setup()
        # Models can be imported only now: the settings had to name this database first.
        from tests.bench import closing, ingestion, preview, tenant  # noqa: PLC0415

        key = tenant.make()
        if options.only in (None, "ingestion"):
            ingestion.measure(
                url=url,
                key=key,
                postgres_pid=pid_of(server),
                events=options.stored,
                rounds=options.rounds,
            )
        if options.only in (None, "preview"):
            preview.measure(key=key)
        if options.only in (None, "closing"):
            closing.measure(url=url, postgres_pid=pid_of(server))


def pid_of(server: Postgres) -> int:
    process = Postmaster(server.data).process()
    assert process is not None
    return process.pid


if __name__ == "__main__":
    main()
