"""CSV, NDJSON and Parquet: what a file says is read exactly, from any record on, and a broken line sinks no other."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.core.errors import Invalid
from apps.customers.models import Customer
from apps.usage.models import UsageEvent
from apps.usage.services.imports import files
from apps.usage.services.imports.records import Start
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event
from tests.usage.imported import HEADER, counts, line, made, properties_of, reported, taken_in
from tests.usage.totals import metered

pytestmark = pytest.mark.usefixtures("import_place")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("0", 0),
        ("1.50", Decimal("1.50")),
        ("12345678901234567890123", 12345678901234567890123),
        ("007", "007"),
        ("+49", "+49"),
        ("1e3", "1e3"),
        ("1.", "1."),
        (".5", ".5"),
        ("١", "١"),
        ("NaN", "NaN"),
        ("true", "true"),
        (" 7", " 7"),
    ],
)
def test_a_plain_number_is_one_and_nothing_else_is(chat: Customer, cell: str, value: object) -> None:
    text = f"id,event,customer,properties.input_tokens,properties.note\ne1,llm.call,chat,1,{cell}\n"
    assert counts(taken_in(text)) == {"accepted": 1}
    assert properties_of("e1")["note"] == value


def test_empty_cells_were_not_sent(chat: Customer) -> None:
    text = (
        "id,event,customer,source,timestamp,properties.input_tokens,properties.note\ne1,llm.call,chat,,,1,\n"
    )
    assert counts(taken_in(text)) == {"accepted": 1}
    assert properties_of("e1") == {"input_tokens": 1}
    assert UsageEvent.objects.get().source == ""


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_are_found(chat: Customer, delimiter: str) -> None:
    assert counts(taken_in((HEADER + line("e1")).replace(",", delimiter))) == {"accepted": 1}


def test_a_byte_order_mark_and_windows_line_breaks_are_fine(chat: Customer) -> None:
    text = (HEADER + line("e1")).replace("\n", "\r\n").encode("utf-8-sig")
    assert counts(taken_in(text)) == {"accepted": 1}


def test_quoted_line_breaks_are_part_of_the_cell(chat: Customer) -> None:
    note = 'two\nlines, "quoted"\n\nand more'
    text = HEADER + line("e1").replace("gpt-5", f'"{note.replace(chr(34), chr(34) * 2)}"') + line("e2", "x")
    found = taken_in(text)
    assert properties_of("e1")["model"] == note
    assert reported(found) == [(6, "e2", "rejected", "invalid_value")]


def test_a_quote_that_never_closes_sinks_its_line_alone(chat: Customer) -> None:
    broken = line("bad").replace("gpt-5", '"gpt-5')
    found = taken_in(HEADER + line("e0") + broken + "".join(line(f"e{one}") for one in range(1, 1500)))
    assert counts(found) == {"accepted": 1500, "rejected": 1}
    assert reported(found) == [(3, "", "rejected", "invalid_csv")]


def test_many_broken_quotes_sink_themselves_alone(chat: Customer) -> None:
    broken = line("bad").replace("gpt-5", 'a"b')
    found = taken_in(HEADER + "".join(broken + line(f"e{one}") for one in range(300)))
    assert counts(found) == {"accepted": 300, "rejected": 300}


def test_bad_bytes_sink_their_line_alone(chat: Customer) -> None:
    text = HEADER.encode() + line("bad").encode().replace(b"gpt", b"\xff\xfe") + line("e1").encode()
    found = taken_in(text)
    assert counts(found) == {"accepted": 1, "rejected": 1}
    assert reported(found) == [(2, "", "rejected", "invalid_encoding")]


def test_a_line_without_end_is_not_held(chat: Customer) -> None:
    long = line("bad", "1" * 3_000_000)
    found = taken_in(HEADER + line("e1") + long + line("e2"))
    assert counts(found) == {"accepted": 2, "rejected": 1}
    assert reported(found) == [(3, "", "rejected", "line_too_long")]
    assert counts(
        taken_in('{"id": "' + "x" * 3_000_000 + '"}\n' + json.dumps(an_event("e3")), "a.ndjson")
    ) == {
        "accepted": 1,
        "rejected": 1,
    }


def test_ndjson_lines_are_judged_one_by_one(chat: Customer) -> None:
    lines = [
        json.dumps(an_event("e1")),
        "",
        "no json",
        json.dumps(an_event("e2", unknown=1)),
        "[]",
        '{"id": "e3", "event": "llm.call", "customer": "chat", "properties": {"input_tokens": 0.1}}',
        "[" * 100_000,
    ]
    found = taken_in("\n".join(lines), "events.jsonl")
    assert counts(found) == {"accepted": 2, "rejected": 4}
    assert reported(found) == [
        (3, "", "rejected", "invalid_json"),
        (4, "e2", "rejected", "unknown_field"),
        (5, "", "rejected", "invalid_event"),
        (7, "", "rejected", "invalid_json"),
    ]
    assert metered("input_tokens") == Decimal("1000.1")


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.csv", "empty"),
        (b"", "a.ndjson", "no events"),
        (HEADER.encode(), "a.csv", "no events"),
        (b"a,b\n1,2\n", "a.csv", "'a' is not known"),
        (b"id,event,customer,id\n", "a.csv", "twice"),
        (b"id,event\n", "a.csv", "'customer' is missing"),
        ((HEADER + line("e1")).encode("utf-16"), "a.csv", "UTF-16"),
        (b"PK\x03\x04", "a.csv", "spreadsheet"),
        (b"\x1f\x8b\x08", "a.ndjson", "gzip"),
        (b"nothing", "a.parquet", "no Parquet"),
        (b"x", "a.docx", "which format"),
    ],
)
def test_a_file_that_can_not_be_read_is_refused_at_once(
    chat: Customer, content: bytes, name: str, message: str
) -> None:
    with pytest.raises(Invalid, match=message), nothing_changes_in("acme"):
        made(content, name)
    assert list(files.directory().iterdir()) == []


# Parquet


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def events_of(count: int) -> dict[str, Any]:
    return {
        "id": [f"e{one}" for one in range(count)],
        "event": pa.array(["llm.call"] * count).dictionary_encode(),
        "customer": ["chat"] * count,
    }


def test_parquet_numbers_stay_exact(chat: Customer) -> None:
    at = datetime(2026, 1, 15, 10, tzinfo=UTC)
    tokens = pa.array([Decimal("0.100000000000000001"), None], pa.decimal128(38, 18))
    content = parquet(
        **events_of(2),
        timestamp=pa.array([at, at], pa.timestamp("ns", tz="Europe/Berlin")),
        **{
            "properties.input_tokens": tokens,
            "properties.output_tokens": pa.array([2**62, 1]),
            "properties.ok": [True, None],
        },
    )
    found = taken_in(content, "events.parquet")
    assert counts(found) == {"accepted": 2}
    assert properties_of("e0") == {
        "input_tokens": Decimal("0.100000000000000001"),
        "output_tokens": 2**62,
        "ok": True,
    }
    assert UsageEvent.objects.get(event_id="e0").timestamp == at


def test_parquet_properties_may_be_a_struct_or_json(chat: Customer) -> None:
    first = parquet(**events_of(1), properties=[{"input_tokens": 5, "deep": {"a": [1, 2]}}])
    assert counts(taken_in(first, "a.parquet")) == {"accepted": 1}
    assert properties_of("e0") == {"input_tokens": 5, "deep": {"a": [1, 2]}}
    second = parquet(**events_of(1) | {"id": ["j"]}, properties=['{"input_tokens": 0.30}'])
    assert counts(taken_in(second, "b.parquet")) == {"accepted": 1}
    assert properties_of("j") == {"input_tokens": Decimal("0.30")}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"properties.cost": [0.5]}, "'properties.cost' holds floating-point"),
        ({"properties": [{"cost": 0.5}]}, "'properties.cost' holds floating-point"),
        ({"timestamp": pa.array([0], pa.timestamp("us"))}, "'timestamp' has timestamps without a zone"),
        ({"source": pa.array([b"x"])}, "'source' holds binary"),
        ({"cost": [1]}, "'cost' is not known"),
    ],
)
def test_parquet_columns_that_are_not_exact_are_refused(
    chat: Customer, columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        made(parquet(**events_of(1), **columns), "a.parquet")


# Going on, stopping, trying


def as_parquet(rows: int) -> bytes:
    columns: dict[str, list[Any]] = {
        "id": [f"e{one}" for one in range(rows)],
        "event": ["llm.call"] * rows,
        "customer": ["chat"] * rows,
        "timestamp": ["2026-01-15T10:00:00Z"] * rows,
        "properties.input_tokens": [1 if one % 10 else -1 for one in range(rows)],
    }
    raw = io.BytesIO()
    pq.write_table(pa.table(columns), raw, row_group_size=700)
    return raw.getvalue()


QUOTED = 'e,llm.call,chat,2026-01-15T10:00:00Z,1,"two\nlines"\n\n'
BROKEN = 'b,llm.call,chat,2026-01-15T10:00:00Z,1,"never closed\n'
ONE = json.dumps(an_event("e", properties={"input_tokens": 1}))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"\xef\xbb\xbf" + (HEADER + (QUOTED + BROKEN) * 20).encode()),
        ("a.ndjson", f"{ONE}\r\n\n{{broken\n".encode() * 20),
        ("a.parquet", as_parquet(2000)),
    ],
)
def test_behind_any_record_it_reads_the_same_as_from_the_beginning(
    name: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    every = list(files.records_in(path, files.format_of(name)))
    assert len(every) == (2000 if name == "a.parquet" else 40)
    for position in (1, 2, 3, 19, len(every) - 1, len(every), *((699, 700, 701) if len(every) > 700 else ())):
        last = every[position - 1]
        start = Start(position, last.bytes_read, last.lines_read)
        assert list(files.records_in(path, files.format_of(name), start)) == every[position:]
