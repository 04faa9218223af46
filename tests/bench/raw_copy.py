"""The limit: PostgreSQL's own COPY of the very rows that ingestion stored, into a table with the same indexes."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

TABLE = "usage_usageevent"


def take_rows(url: str, schema: str, prefix: str) -> list[bytes]:
    """The rows of the events whose id begins with `prefix`, as COPY's text format gives them."""
    query = f"COPY (SELECT * FROM {TABLE} WHERE starts_with(event_id, '{prefix}')) TO STDOUT"
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path TO {schema}")
        with connection.cursor().copy(query) as copy:
            return [bytes(block) for block in copy]


def make_twins(url: str, schema: str, names: list[str]) -> None:
    """Empty tables with the same columns, constraints and indexes, in the tenant's schema."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path TO {schema}")
        for name in names:
            connection.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING ALL)")


def copy_rows(url: str, schema: str, table: str, rows: list[bytes], connections: int) -> float:
    """Copy all rows with so many connections at once; returns the seconds until all are committed."""
    gate = threading.Barrier(connections + 1)
    with ThreadPoolExecutor(connections) as pool:
        parts = [
            pool.submit(copy_part, url, schema, table, b"".join(rows[number::connections]), gate)
            for number in range(connections)
        ]
        gate.wait()
        started = time.perf_counter()
        for part in parts:
            part.result()
        return time.perf_counter() - started


def copy_part(url: str, schema: str, table: str, data: bytes, gate: threading.Barrier) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path TO {schema}")
        connection.commit()
        gate.wait()
        with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
            copy.write(data)
        connection.commit()
