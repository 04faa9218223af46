"""NDJSON: an event a line, as the API takes it."""

from collections.abc import Iterator
from pathlib import Path

from apps.core.api.parsers import MAX_DEPTH, decode_json, refuse_depth
from apps.core.errors import Invalid
from apps.usage.services.imports.lines import Line, lines_from, lines_of
from apps.usage.services.imports.records import BEGINNING, MAX_RECORD_BYTES, Problem, Record, Start
from apps.usage.wire.event import strict_event

TOO_LONG = Problem("line_too_long", f"The line is longer than {MAX_RECORD_BYTES:,} bytes.")


class NdjsonFile:
    def __init__(self, path: Path, start: Start = BEGINNING) -> None:
        self.path = path
        self.start = start

    def __iter__(self) -> Iterator[Record]:
        """Empty lines are passed over."""
        with self.path.open("rb") as file:
            lines = lines_of(file)
            if self.start.lines:
                lines = lines_from(file, at=self.start.bytes, number=self.start.lines)
            for line in lines:
                if line.content is None or line.content.strip():
                    yield record_of(line)


def record_of(line: Line) -> Record:
    if line.content is None:
        return Record(line.number, None, TOO_LONG, line.end, line.number)
    event = strict_event(line.content)
    problem = None
    if event is None:
        try:
            event = decode_json(line.content)
            refuse_depth(event, MAX_DEPTH)
        except Invalid as invalid:
            why = invalid.__cause__ or invalid.message
            problem = Problem(invalid.code, f"The line is not valid JSON: {why}")
    return Record(line.number, event, problem, line.end, line.number)
