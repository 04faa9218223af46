"""Files of archived events: written as they come, under another name until they are complete, and read again.

What is written arrives as whole lines of CSV in the order of `COLUMNS`. Each format keeps a checksum of the
content besides that of the file, and computes it again from what it reads back.
"""

import csv
import gzip
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.conf import settings

from apps.core.schema import schema_name
from apps.usage.models import ArchivedPartition

Format = ArchivedPartition.Format
COLUMNS = (
    "id", "source", "event", "customer", "timestamp", "received_at", "properties", "readings", "revision",
    "voided_at",
)  # fmt: skip
SUFFIXES = {Format.PARQUET: "parquet", Format.CSV: "csv.gz"}
PIECE = 1024 * 1024
# The properties of one event are a field.
csv.field_size_limit(16 * PIECE)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file says: the number of events, and a checksum that does not depend on how they are packed."""

    row_count: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Written:
    content: Content
    byte_size: int
    sha256: str


class FileFormat(Protocol):
    """`blocks` are whole lines of CSV; `rows` are the events, as texts in the order of the columns."""

    def write(self, path: Path, blocks: Iterable[bytes]) -> Content: ...

    def read(self, path: Path) -> Content: ...

    def rows(self, path: Path) -> Iterator[dict[str, str | None]]: ...


class CsvFormat:
    """The lines as they come, behind one with the names, compressed."""

    def write(self, path: Path, blocks: Iterable[bytes]) -> Content:
        with gzip.open(path, "wb", compresslevel=6) as file:
            file.write(",".join(COLUMNS).encode() + b"\n")
            digest = hashlib.sha256()
            for block in blocks:
                digest.update(block)
                file.write(block)
        # Counted in what was written: the lines themselves may hold line breaks.
        return Content(sum(1 for _ in self.rows(path)), digest.hexdigest())

    def read(self, path: Path) -> Content:
        digest = hashlib.sha256()
        with gzip.open(path, "rb") as file:
            file.readline()
            while piece := file.read(PIECE):
                digest.update(piece)
        return Content(sum(1 for _ in self.rows(path)), digest.hexdigest())

    def rows(self, path: Path) -> Iterator[dict[str, str | None]]:
        with gzip.open(path, "rb") as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
            yield from csv.DictReader(text)


def format_of(name: str) -> FileFormat:
    if name == Format.CSV:
        return CsvFormat()
    # Loaded only where it is used: it takes 40 MB of memory.
    from apps.usage.services.archive_parquet import ParquetFormat  # noqa: PLC0415

    return ParquetFormat()


def directory() -> Path:
    """Where the archives of the entered schema are. Others may not look into it."""
    place = Path(settings.USAGE_ARCHIVE_DIR) / schema_name()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def write(*, file_name: str, format_name: str, blocks: Iterable[bytes]) -> Written:
    """Write a file, make it last, and only then give it its name. An older one of that name is replaced."""
    path = directory() / file_name
    unfinished = path.with_name(f".{file_name}.{os.getpid()}.part")
    try:
        content = format_of(format_name).write(unfinished, blocks)
        unfinished.chmod(0o600)
        with unfinished.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
    sync_directory(path.parent)
    return Written(content, path.stat().st_size, sha256)


def sync_directory(place: Path) -> None:
    """A new name outlives a power cut only when its directory has been written too."""
    opened = os.open(place, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_unfinished() -> None:
    """What a kill left behind. The caller sees to it that nobody else is writing."""
    for path in directory().glob(".*.part"):
        path.unlink()
