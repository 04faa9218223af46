"""A database that exists for one run of the benchmark."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from config.local.postgres import NAME, Postgres, url_of

DATABASE = "bench"


@contextmanager
def fresh(server: Postgres) -> Iterator[str]:
    """Make the database anew, whatever a run that was interrupted left; yields its DATABASE_URL."""
    with psycopg.connect(url_of(server), autocommit=True) as maintenance:
        maintenance.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        maintenance.execute(f"CREATE DATABASE {DATABASE}")
        try:
            yield url_of(server).replace(f"/{NAME}?", f"/{DATABASE}?", 1)
        finally:
            maintenance.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
