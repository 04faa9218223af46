"""Parquet: an event a row, with columns as in CSV. Imported only where it is used: pyarrow is large.

Numbers stay exact: integers and decimals are taken, floating-point numbers are refused, for nobody could say what
they were meant to be. Timestamps carry a zone, or are texts as the API takes them. `properties` is a JSON text, a
struct or a map.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from apps.core.api.parsers import decode_json
from apps.core.errors import Invalid
from apps.core.text import instant_text
from apps.usage.services.imports.records import (
    BEGINNING,
    FIELDS,
    PREFIX,
    Problem,
    Record,
    Start,
    UnreadableFile,
    as_event,
    check_columns,
)

ROWS_AT_ONCE = 1000
MICROSECONDS = pa.timestamp("us", tz="UTC")


class ParquetFile:
    def __init__(self, path: Path, start: Start = BEGINNING) -> None:
        self.path = path
        self.start = start

    def __iter__(self) -> Iterator[Record]:
        try:
            with pq.ParquetFile(self.path) as file:
                schema = checked(file.schema_arrow)
                count = max(1, file.metadata.num_rows)
                size = self.path.stat().st_size
                first, number = group_with(file.metadata, self.start.lines)
                groups = range(first, file.metadata.num_row_groups)
                for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, row_groups=groups):
                    # Within the group what is known is passed over without a look at it.
                    known = min(len(batch), max(0, self.start.lines - number))
                    number += known
                    for row in batch.slice(known).cast(schema, safe=False).to_pylist():
                        number += 1
                        yield record_of(row, number, size * number // count)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFile(f"The file is no Parquet, or damaged: {error}") from error


def group_with(metadata: Any, row: int) -> tuple[int, int]:
    """The group of rows that goes on behind so many rows, and how many stand before it."""
    before = 0
    for index in range(metadata.num_row_groups):
        behind = before + metadata.row_group(index).num_rows
        if behind > row:
            return index, before
        before = behind
    return metadata.num_row_groups, before


def checked(schema: Any) -> Any:
    """The schema to read it by: instants in microseconds, as we keep them. Raises `UnreadableFile`."""
    check_columns(schema.names)
    fields = []
    for field in schema:
        refuse_floats(field.type, field.name)
        kind = field.type
        if pa.types.is_timestamp(kind):
            if kind.tz is None:
                raise UnreadableFile(
                    f"The column {field.name!r} has timestamps without a zone: nobody can say which instants they are."
                )
            kind = MICROSECONDS
        elif field.name in FIELDS and not is_text(kind) and not pa.types.is_integer(kind):
            raise UnreadableFile(f"The column {field.name!r} holds {kind}, and not text.")
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def is_text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def refuse_floats(kind: Any, name: str) -> None:
    if pa.types.is_floating(kind):
        raise UnreadableFile(
            f"The column {name!r} holds floating-point numbers, which are not exact. Write it as decimal128, as"
            " an integer or as text."
        )
    if pa.types.is_dictionary(kind):
        refuse_floats(kind.value_type, name)
    elif pa.types.is_nested(kind):
        for index in range(kind.num_fields):
            refuse_floats(kind.field(index).type, f"{name}.{kind.field(index).name}")


def record_of(row: dict[str, Any], number: int, bytes_read: int) -> Record:
    try:
        return Record(number, event_of(row), None, bytes_read, number)
    except Invalid as invalid:
        return Record(number, None, Problem("invalid_properties", invalid.message), bytes_read, number)


def event_of(row: dict[str, Any]) -> Any:
    properties = properties_of(row.get("properties"))
    for name, value in row.items():
        if name.startswith(PREFIX) and value is not None:
            properties[name.removeprefix(PREFIX)] = plain(value)
    return as_event({name: text_of(row[name]) for name in FIELDS if name in row}, properties)


def properties_of(value: Any) -> dict[str, Any]:
    if not value:
        return {}
    if isinstance(value, str):
        value = decode_json(value.encode())
    if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):  # a map
        value = dict(value)
    if not isinstance(value, dict):
        raise Invalid("invalid_properties", "properties is a JSON object.")
    return {name: plain(inner) for name, inner in value.items() if inner is not None}


def text_of(value: Any) -> str:
    return "" if value is None else instant_text(value) if isinstance(value, datetime) else str(value)


def plain(value: Any) -> Any:
    """What JSON has a word for."""
    if value is None or isinstance(value, str | bool | int | Decimal):
        return value
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    raise Invalid("invalid_properties", f"A value of type {type(value).__name__} has no place in an event.")
