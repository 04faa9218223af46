"""`make bench`: a database and a web server of its own, the measurements, a table, and everything gone again."""

import argparse
import os

import django

from config.local import paths
from config.local.lease import lease
from config.local.postgres import Postgres
from tests.bench import database


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="events a round (default 100,000)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="interleaved rounds; medians are printed (default 3)"
    )
    parser.add_argument("--batch-size", type=int, default=1_000, help="events a request (default 1,000)")
    parser.add_argument("--clients", type=int, default=2, help="processes that send at once (default 2)")
    parser.add_argument("--only", choices=["ingestion", "preview"], help="one of the two (default both)")
    options = parser.parse_args()

    paths.prepare()
    # Durable as in production: fsync, full-page writes and synchronous commit are on.
    server = Postgres(paths.LOCAL / "bench-postgres")
    with lease(server), database.fresh(server) as url:
        os.environ["DATABASE_URL"] = url
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.local"
        django.setup()
        # Models can be imported only now: the settings had to name this database first.
        from tests.bench import ingestion, preview, tenant  # noqa: PLC0415

        key = tenant.make()
        if options.only != "preview":
            ingestion.measure(
                url=url,
                key=key,
                events=options.events,
                rounds=options.rounds,
                batch_size=options.batch_size,
                clients=options.clients,
            )
        if options.only != "ingestion":
            preview.measure(key=key)


if __name__ == "__main__":
    main()
