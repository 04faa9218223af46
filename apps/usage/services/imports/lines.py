"""The lines of a file, however long: what is too long for a record is passed over without being held."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from apps.usage.services.imports.records import MAX_RECORD_BYTES, UnreadableFile

UTF8_BOM = b"\xef\xbb\xbf"
OTHERS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"PK": "a spreadsheet or a ZIP file",
    b"\x1f\x8b": "gzip",
}


@dataclass(frozen=True, slots=True)
class Line:
    """`content` has no line break; None when it is longer than a record may be. `end` is where the next begins."""

    number: int
    content: bytes | None
    end: int


def lines_of(file: BinaryIO) -> Iterator[Line]:
    """Raises `UnreadableFile` for what is no UTF-8 text as a whole. A byte order mark is passed over."""
    return lines_from(file, at=begin(file), number=0)


def begin(file: BinaryIO) -> int:
    """Where the first line is. Raises `UnreadableFile`."""
    head = file.read(3)
    for mark, name in OTHERS.items():
        if head.startswith(mark):
            raise UnreadableFile(f"The file is {name}; save it as text in UTF-8.")
    return len(UTF8_BOM) if head == UTF8_BOM else 0


def lines_from(file: BinaryIO, *, at: int, number: int) -> Iterator[Line]:
    """Those behind `number` lines, which are so many bytes."""
    file.seek(at)
    while piece := file.readline(MAX_RECORD_BYTES + 1):
        number += 1
        at += len(piece)
        is_whole = piece.endswith(b"\n") or len(piece) <= MAX_RECORD_BYTES
        rest = piece
        while not is_whole and not rest.endswith(b"\n") and (rest := file.readline(MAX_RECORD_BYTES)):
            at += len(rest)
        yield Line(number, piece.rstrip(b"\r\n") if is_whole else None, at)
