"""Locks that outlive a transaction, for work that is many of them; and what is told of locks that crossed."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection
from psycopg.errors import DeadlockDetected


def is_deadlock(error: Exception) -> bool:
    """Whether two transactions waited for each other and this one had to give way; again it will find its way."""
    return isinstance(error.__cause__, DeadlockDetected)


@contextmanager
def session_lock(name: str) -> Iterator[bool]:
    """Hold the lock `name` of the whole database for the block; yields False at once when somebody else has it.

    It has a connection of its own, outside the pool: the work may close and change connections as it likes
    (migrations do), and a kill frees the lock. The name must name the tenant, if it is one's.
    """
    place = connection.settings_dict
    where = psycopg.conninfo.make_conninfo(
        "",
        dbname=place["NAME"],
        # What is empty is left to libpq's defaults.
        user=place["USER"] or None,
        password=place["PASSWORD"] or None,
        host=place["HOST"] or None,
        port=place["PORT"] or None,
        **{key: value for key, value in place["OPTIONS"].items() if key.startswith("ssl")},
    )
    with psycopg.connect(where, autocommit=True) as own:
        row = own.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
        assert row is not None
        try:
            yield bool(row[0])
        finally:
            # The server notices a closed connection a moment later; whoever comes next should not have to wait.
            own.execute("SELECT pg_advisory_unlock_all()")
