"""Whole columns as PostgreSQL's binary arrays, built in one go.

psycopg writes lists item by item, which costs more than everything else in ingestion together. These are
packed by `struct`, and go to the server as they are.
"""

import struct
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

# Of the element, then of the array: pg_type.dat.
BIGINT, BIGINTS = 20, 1016
INTEGER, INTEGERS = 23, 1007
TEXT, TEXTS = 25, 1009
INSTANT, INSTANTS = 1184, 1185
UUID, UUIDS = 2950, 2951

# PostgreSQL counts microseconds from the year 2000, we from 1970.
EPOCH_SHIFT = 946_684_800_000_000


class Packed:
    """Bytes of one array, with the type that they are of."""

    __slots__ = ("data",)
    OID = 0

    def __init__(self, data: bytes) -> None:
        self.data = data


class PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        data: bytes = obj.data
        return data


def packed(name: str, array_oid: int) -> type[Packed]:
    kind = type(name, (Packed,), {"__slots__": ()})
    psycopg.adapters.register_dumper(kind, type(f"{name}Dumper", (PackedDumper,), {"oid": array_oid}))
    return kind


Bigints, Integers, Texts, Instants, Uuids = (
    packed("Bigints", BIGINTS),
    packed("Integers", INTEGERS),
    packed("Texts", TEXTS),
    packed("Instants", INSTANTS),
    packed("Uuids", UUIDS),
)


def header(element: int, count: int) -> bytes:
    """One dimension, no nulls, subscripts from 1; an empty array has no dimension."""
    return struct.pack(">iiiii", 1, 0, element, count, 1) if count else struct.pack(">iii", 0, 0, element)


def fixed(element: int, code: str, size: int, values: Sequence[int]) -> bytes:
    count = len(values)
    mixed = [size] * (2 * count)
    mixed[1::2] = values
    return header(element, count) + struct.pack(f">{f'i{code}' * count}", *mixed)


def bigints(values: Sequence[int]) -> Packed:
    return Bigints(fixed(BIGINT, "q", 8, values))


def integers(values: Sequence[int]) -> Packed:
    return Integers(fixed(INTEGER, "i", 4, values))


def instants(micros: Sequence[int]) -> Packed:
    """Microseconds since 1970."""
    return Instants(fixed(INSTANT, "q", 8, [one - EPOCH_SHIFT for one in micros]))


def uuids(values: Sequence[bytes]) -> Packed:
    return Uuids(header(UUID, len(values)) + b"".join([b"\0\0\0\x10" + one for one in values]))


def texts(values: Sequence[bytes]) -> Packed:
    length = struct.Struct(">i").pack
    return Texts(header(TEXT, len(values)) + b"".join([length(len(one)) + one for one in values]))


def execute(query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one prepared statement with packed parameters on Django's connection, in its transaction.

    Past Django's cursor, which puts parameters into the text; a statement is still seen by whoever counts them.
    The schema must have been entered by a statement through Django before.
    """
    with connection.wrap_database_errors:
        cursor = psycopg.Cursor(connection.connection)
        cursor.execute(query, parameters, prepare=True)
        rows = cursor.fetchall() if cursor.description else []
    if connection.queries_logged:
        connection.queries_log.append({"sql": query, "time": "0"})
    return rows
