"""What all formats give: records, each with the line it stands on and either an event or what is wrong with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from apps.usage.wire.event import WireEvent

PREFIX = "properties."
FIELDS = ("id", "event", "customer", "timestamp", "source")
REQUIRED = ("id", "event", "customer")
MAX_RECORD_BYTES = 1024 * 1024
MAX_CHUNK_BYTES = 16 * MAX_RECORD_BYTES


class UnreadableFile(Exception):
    """Nothing of the file can be taken in; the message says why, for whoever made the file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record is no event. It is rejected like a malformed one."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Record:
    """`line` is where it begins, from 1; of a Parquet file its row. `bytes_read` tells how far the file was read, and
    `lines_read` how many of its lines.
    """

    line: int
    event: Any
    problem: Problem | None
    bytes_read: int
    lines_read: int


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin to read: behind so many records, which are so many bytes and lines of the file, if they are known.

    Lines are not known of an import that was begun before they were counted; its records are read again.
    """

    records: int = 0
    bytes: int = 0
    lines: int = 0


BEGINNING = Start()


class Records(Protocol):
    """Raises `UnreadableFile` at the first record, or in the middle of a file that is damaged there."""

    def __iter__(self) -> Iterator[Record]: ...


def as_event(fields: dict[str, str], properties: dict[str, Any]) -> Any:
    """The event as a client sends it; what is empty was not sent. Without a required field ingestion says so."""
    given = {name: value for name, value in fields.items() if value}
    if all(name in given for name in REQUIRED):
        return WireEvent(**given, properties=properties)
    return {**given, "properties": properties}


def check_columns(names: list[str]) -> None:
    """Raises `UnreadableFile`."""
    known = "id, event, customer, timestamp, source, properties and properties.<name>"
    for name in names:
        if name not in (*FIELDS, "properties") and (not name.startswith(PREFIX) or name == PREFIX):
            raise UnreadableFile(f"The column {name!r} is not known. Columns are {known}.")
        if names.count(name) > 1:
            raise UnreadableFile(f"The column {name!r} stands there twice.")
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise UnreadableFile(f"The column {missing[0]!r} is missing. Columns are {known}.")


def in_chunks(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """At most `size` records, and not many more bytes of the file than fit into memory easily."""
    chunk: list[Record] = []
    for record in records:
        chunk.append(record)
        if len(chunk) >= size or record.bytes_read - chunk[0].bytes_read > MAX_CHUNK_BYTES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
