"""Archived events as Parquet. Imported only where it is used: pyarrow is large."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq

from apps.usage.services.archive_files import COLUMNS, Content

INSTANT = pa.timestamp("us", tz="UTC")
TYPES = {
    **dict.fromkeys(COLUMNS, pa.string()),
    "timestamp": INSTANT,
    "received_at": INSTANT,
    "voided_at": INSTANT,
    "revision": pa.int32(),
}
SCHEMA = pa.schema(
    [pa.field(name, TYPES[name], nullable=name == "voided_at") for name in COLUMNS],
    metadata={"properties": "JSON", "readings": "JSON: meter, value, dimensions of each"},
)
# Instants come as microseconds since 1970.
CONVERT = pyarrow.csv.ConvertOptions(
    column_types={
        name: pa.int64() if kind in (INSTANT, pa.int32()) else kind for name, kind in TYPES.items()
    },
    null_values=[""],
    strings_can_be_null=False,
    quoted_strings_can_be_null=False,
)
PARSE = pyarrow.csv.ParseOptions(newlines_in_values=True)
ROWS_AT_ONCE = 50_000


class ParquetFormat:
    def write(self, path: Path, blocks: Iterable[bytes]) -> Content:
        checksum = Checksum()
        with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
            for block in blocks:
                # One block for the reader, however long it is: it must not be cut inside a line.
                read = pyarrow.csv.ReadOptions(column_names=list(COLUMNS), block_size=len(block) + 1)
                table = pyarrow.csv.read_csv(
                    pa.BufferReader(block), read_options=read, parse_options=PARSE, convert_options=CONVERT
                )
                table = table.cast(SCHEMA)
                checksum.add(table)
                writer.write_table(table)
        return checksum.content

    def read(self, path: Path) -> Content:
        checksum = Checksum()
        for batch in self.batches(path):
            checksum.add(pa.Table.from_batches([batch]))
        return checksum.content

    def rows(self, path: Path) -> Iterator[dict[str, Any]]:
        for batch in self.batches(path):
            yield from batch.to_pylist()

    def batches(self, path: Path) -> Iterator[Any]:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=ROWS_AT_ONCE)


class Checksum:
    """Of the values in their order, column by column, so that it does not matter how they are cut into batches."""

    def __init__(self) -> None:
        self.row_count = 0
        self.parts = {name: (hashlib.sha256(), hashlib.sha256()) for name in COLUMNS}

    def add(self, table: Any) -> None:
        self.row_count += table.num_rows
        for name in COLUMNS:
            shape, values = self.parts[name]
            for chunk in table.column(name).chunks:
                if pa.types.is_string(chunk.type):
                    shape.update(fixed_bytes(pa.compute.binary_length(chunk)))
                    values.update(text_bytes(chunk))
                else:
                    shape.update(fixed_bytes(pa.compute.cast(chunk.is_valid(), pa.int8())))
                    values.update(fixed_bytes(chunk.cast(pa.int64()).fill_null(0)))

    @property
    def content(self) -> Content:
        whole = hashlib.sha256()
        for shape, values in self.parts.values():
            whole.update(shape.digest() + values.digest())
        return Content(self.row_count, whole.hexdigest())


def fixed_bytes(chunk: Any) -> memoryview:
    """The values of a chunk without nulls, which may be a piece of a larger buffer."""
    width = chunk.type.bit_width // 8
    return memoryview(chunk.buffers()[1])[chunk.offset * width : (chunk.offset + len(chunk)) * width]


def text_bytes(chunk: Any) -> memoryview:
    data = chunk.buffers()[2]
    if not len(chunk) or data is None:
        return memoryview(b"")
    offsets = memoryview(chunk.buffers()[1]).cast("i")
    return memoryview(data)[offsets[chunk.offset] : offsets[chunk.offset + len(chunk)]]
