"""What a test looks at to say that nothing else happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from psycopg.sql import SQL, Identifier


class _NotKept(Exception):
    pass


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo what happens inside: for the many examples of one property test."""
    try:
        with transaction.atomic():
            yield
            raise _NotKept
    except _NotKept:
        pass


# Reading and asking leave traces of their own; a batch that changes nothing is counted, and what its events look
# like gets a number.
TRACES = frozenset(
    {
        "access_apikey",
        "django_session",
        "core_idempotencyrecord",
        "usage_ingestionminute",
        "usage_eventshape",
        "usage_dimensionset",
    }
)


def contents_of(schema: str, *, without: frozenset[str] = TRACES) -> dict[str, Any]:
    """The number of rows and a checksum of every table of a schema."""
    with connection.cursor() as cursor:
        # A partition's rows are those of its table.
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition ORDER BY 1",
            [schema],
        )
        tables = [name for (name,) in cursor.fetchall() if name not in without]
        found = {}
        for name in tables:
            cursor.execute(
                SQL(
                    "SELECT count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM {} t"
                ).format(Identifier(schema, name))
            )
            found[name] = cursor.fetchone()
        return found


@contextmanager
def nothing_changes_in(*schemas: str) -> Iterator[None]:
    before = {schema: contents_of(schema) for schema in schemas}
    yield
    after = {schema: contents_of(schema) for schema in schemas}
    assert after == before
