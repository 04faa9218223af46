"""The report on an import: every record that was not accepted, with its line and why."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from apps.core.spreadsheets import safe

COLUMNS = ("line", "id", "status", "code", "param", "message")


@dataclass(frozen=True, slots=True)
class Line:
    """`param` points into the event: `/properties/tokens`."""

    line: int
    id: str
    status: str
    code: str
    param: str
    message: str


def append(path: Path, lines: Iterable[Line], *, at: int) -> int:
    """Write behind the first `at` bytes, which is where the position is; returns the new size.

    What stands there already was written by a run that was killed before it could say so.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if at == 0:
        writer.writerow(COLUMNS)
    writer.writerows(
        [one.line, safe(one.id), one.status, one.code, safe(one.param), safe(one.message)] for one in lines
    )
    path.touch(mode=0o600)
    with path.open("r+b") as file:
        file.truncate(at)
        file.seek(at)
        file.write(text.getvalue().encode(errors="replace"))
        return file.tell()
