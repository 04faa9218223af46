"""Where the files of imports are, what they are, and how they get there: streamed, private, checksummed."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django.conf import settings

from apps.core.errors import Invalid
from apps.core.schema import schema_name
from apps.usage.models import UsageImport
from apps.usage.services.imports.csv_file import CsvFile
from apps.usage.services.imports.ndjson_file import NdjsonFile
from apps.usage.services.imports.records import BEGINNING, Records, Start, UnreadableFile

Format = UsageImport.Format
SUFFIXES = {
    ".csv": Format.CSV, ".tsv": Format.CSV, ".txt": Format.CSV, ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON, ".json": Format.NDJSON, ".parquet": Format.PARQUET,
}  # fmt: skip
PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    sha256: str
    byte_size: int


def directory() -> Path:
    """Of the entered schema. Others may not look into it."""
    place = Path(settings.USAGE_IMPORT_DIR) / schema_name()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def path_of(run: UsageImport) -> Path:
    return directory() / f"{run.public_id}.data"


def report_path_of(run: UsageImport) -> Path:
    return directory() / f"{run.public_id}.report.csv"


def format_of(file_name: str) -> str:
    """By its name. Raises `Invalid` unknown_format."""
    found = SUFFIXES.get(Path(file_name).suffix.lower())
    if found is None:
        known = ", ".join(sorted(SUFFIXES))
        raise Invalid("unknown_format", f"Say which format {file_name} has; known names end in {known}.")
    return found


def store(pieces: Iterable[bytes], path: Path) -> Stored:
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        path.chmod(0o600)
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            file.write(piece)
    return Stored(digest.hexdigest(), size)


def pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def records_in(path: Path, format_name: str, start: Start = BEGINNING) -> Records:
    """From `start` on: nothing before it is read again, when it says where that is."""
    if format_name == Format.CSV:
        return CsvFile(path, start)
    if format_name == Format.NDJSON:
        return NdjsonFile(path, start)
    # Loaded only where it is used: it takes 40 MB of memory.
    from apps.usage.services.imports.parquet_file import ParquetFile  # noqa: PLC0415

    return ParquetFile(path, start)


def check(path: Path, format_name: str) -> None:
    """Raises `Invalid` unreadable_file when nothing of it could be taken in."""
    try:
        first = list(islice(records_in(path, format_name), 1))
    except UnreadableFile as error:
        raise Invalid("unreadable_file", str(error), param="/file") from error
    if not first:
        raise Invalid("unreadable_file", "The file has no events.", param="/file")
