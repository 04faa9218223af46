"""The limit: PostgreSQL's own COPY of such rows as ingestion stores, into the same tables with their indexes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

TABLES = ("usage_eventkey", "usage_usageevent")
# Rows that were stored a moment ago, under other keys, so that they can be stored again.
TAKE = {
    "usage_eventkey": 'SELECT gen_random_uuid(), content, "timestamp", customer_id FROM usage_eventkey'
    ' WHERE "timestamp" >= %s ORDER BY "timestamp" DESC LIMIT %s',
    "usage_usageevent": "SELECT * FROM usage_usageevent"
    ' WHERE "timestamp" >= %s ORDER BY "timestamp" DESC LIMIT %s',
}


def take_rows(url: str, schema: str, *, since: str, count: int) -> dict[str, list[bytes]]:
    """As COPY's text format gives them."""
    found = {}
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(f"SET search_path TO {schema}")
        for table, query in TAKE.items():
            with connection.cursor() as cursor:
                text = cursor.mogrify(query, [since, count])
                with cursor.copy(f"COPY ({text}) TO STDOUT") as copy:
                    found[table] = [line for block in copy for line in bytes(block).splitlines(keepends=True)]
    return found


def copy_rows(url: str, schema: str, rows: dict[str, list[bytes]], connections: int) -> float:
    """Copy all rows with so many connections at once, keys and events; returns the seconds until all are committed."""
    gate = threading.Barrier(connections + 1)
    with ThreadPoolExecutor(connections) as pool:
        parts = [
            pool.submit(
                copy_part,
                url,
                schema,
                {table: b"".join(lines[number::connections]) for table, lines in rows.items()},
                gate,
            )
            for number in range(connections)
        ]
        gate.wait()
        started = time.perf_counter()
        for part in parts:
            part.result()
        return time.perf_counter() - started


def copy_part(url: str, schema: str, data: dict[str, bytes], gate: threading.Barrier) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path TO {schema}")
        connection.commit()
        gate.wait()
        for table in TABLES:
            with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(data[table])
        connection.commit()
