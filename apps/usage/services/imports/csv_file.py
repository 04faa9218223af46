"""CSV: a header, then an event a line. A broken line is rejected alone, also when its quotes never end.

Columns: id, event, customer, timestamp, source, and either `properties.<name>` for each property or one column
`properties` with a JSON object, or both. An empty cell was not sent. A cell of `properties.<name>` that is a
plain number (digits, a minus before them, a point within; no leading zeros, no exponent) is that number, exactly;
everything else is text. Where the kind matters, JSON in `properties` says it.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.core.api.parsers import decode_json
from apps.core.errors import Invalid
from apps.usage.services.imports.lines import Line, lines_from, lines_of
from apps.usage.services.imports.records import (
    BEGINNING,
    FIELDS,
    MAX_RECORD_BYTES,
    PREFIX,
    REQUIRED,
    Problem,
    Record,
    Start,
    UnreadableFile,
    as_event,
    check_columns,
)

DELIMITERS = (",", ";", "\t", "|")
PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
# A number with more digits is a text that looks like one.
MAX_DIGITS = 100
MAX_LINES = 1000


class CsvFile:
    def __init__(self, path: Path, start: Start = BEGINNING) -> None:
        self.path = path
        self.start = start

    def __iter__(self) -> Iterator[Record]:
        with self.path.open("rb") as file:
            lines = lines_of(file)
            columns, delimiter = header_of(next(lines, None))
            if self.start.lines:
                lines = lines_from(file, at=self.start.bytes, number=self.start.lines)
            for group in grouped(lines, delimiter):
                record = record_of(group, columns, delimiter)
                if record is not None:
                    yield record


def header_of(line: Line | None) -> tuple[list[str], str]:
    """Names and delimiter: the one by which the required names are found. Raises `UnreadableFile`."""
    if line is None:
        raise UnreadableFile("The file is empty.")
    try:
        text = (line.content or b"").decode()
    except UnicodeDecodeError as error:
        raise UnreadableFile("The header is not UTF-8; save the file as UTF-8.") from error
    found: list[str] = []
    for delimiter in DELIMITERS:
        try:
            names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter, strict=True), [])]
        except csv.Error:
            continue
        if set(REQUIRED) <= set(names):
            check_columns(names)
            return names, delimiter
        found = max(found, names, key=len)
    check_columns(found)
    raise UnreadableFile("The first line names the columns; it has no id, event and customer.")


def grouped(lines: Iterator[Line], delimiter: str) -> Iterator[list[Line]]:
    """The lines of each record. Quotes come in pairs, so a line with an odd number of them goes on in the next.

    When the lines that belong together by that are no record, the quote of the first was a mistake: it
    stands alone, and the others are looked at anew.
    """
    waiting: deque[Line] = deque()
    while (line := waiting.popleft() if waiting else next(lines, None)) is not None:
        group = [line]
        quotes, size = quotes_in(line), len(line.content or b"")
        while quotes % 2 and len(group) < MAX_LINES and size <= MAX_RECORD_BYTES:
            following = waiting.popleft() if waiting else next(lines, None)
            if following is None:
                break
            group.append(following)
            quotes += quotes_in(following)
            size += len(following.content or b"")
        if len(group) > 1 and cells_of(group, delimiter) is None:
            waiting.extendleft(reversed(group[1:]))
            group = group[:1]
        yield group


def quotes_in(line: Line) -> int:
    return (line.content or b"").count(b'"')


def cells_of(group: list[Line], delimiter: str) -> list[str] | None:
    """None when the quotes make no sense."""
    if sum(map(quotes_in, group)) % 2 or any(line.content is None for line in group):
        return None
    text = b"\n".join(line.content or b"" for line in group).decode(errors="surrogateescape")
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def record_of(group: list[Line], columns: list[str], delimiter: str) -> Record | None:
    """None for an empty line."""
    first, end, last = group[0].number, group[-1].end, group[-1].number

    def wrong(code: str, message: str) -> Record:
        return Record(first, None, Problem(code, message), end, last)

    if group[0].content is None:
        return wrong("line_too_long", f"The line is longer than {MAX_RECORD_BYTES:,} bytes.")
    try:
        for line in group:
            (line.content or b"").decode()
    except UnicodeDecodeError as error:
        return wrong("invalid_encoding", f"The line is not UTF-8: {error.reason} at byte {error.start}.")
    cells = cells_of(group, delimiter)
    if cells is None:
        return wrong("invalid_csv", "The quotes of the line make no sense: one of them is never closed.")
    if not any(cells):
        return None
    if len(cells) != len(columns):
        return wrong(
            "wrong_number_of_cells", f"The line has {len(cells)} cells, the header has {len(columns)}."
        )
    try:
        return Record(first, event_of(dict(zip(columns, cells, strict=True))), None, end, last)
    except Invalid as invalid:
        return wrong("invalid_properties", f"The cell properties holds no JSON object: {invalid.message}")


def event_of(row: dict[str, str]) -> Any:
    properties: Any = {}
    if given := row.get("properties"):
        properties = decode_json(given.encode())
        if not isinstance(properties, dict):
            raise Invalid("invalid_properties", "It is something else.")
    for name, cell in row.items():
        if name.startswith(PREFIX) and cell:
            properties[name.removeprefix(PREFIX)] = value_of(cell)
    return as_event({name: row[name] for name in FIELDS if name in row}, properties)


def value_of(cell: str) -> str | int | Decimal:
    """A plain number exactly as it is written, else the text."""
    if len(cell) > MAX_DIGITS or not PLAIN_NUMBER.fullmatch(cell):
        return cell
    return Decimal(cell) if "." in cell else int(cell)
