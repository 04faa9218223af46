"""Files of events: the same verdicts as over the API, piece by piece, and nothing is taken twice."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.core.errors import Invalid, Refused
from apps.customers.models import Customer
from apps.usage.models import ArchivedPartition, QuarantinedEvent, UsageEvent, UsageImport
from apps.usage.services.imports import csv_file, files, request, run, try_out
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, report
from tests.usage.imported import HEADER, NOW, counts, line, made, properties_of, reported, taken_in
from tests.usage.retained import FEBRUARY
from tests.usage.totals import assert_rollups_equal_events, metered

pytestmark = pytest.mark.usefixtures("import_place")


def test_a_csv_is_taken_in(chat: Customer) -> None:
    with nothing_changes_in("globex", "public"):
        found = taken_in(HEADER + line("e1") + line("e2", "0.25"))
    assert (found.status, found.position, counts(found)) == ("done", 2, {"accepted": 2})
    assert properties_of("e2") == {"input_tokens": Decimal("0.25"), "model": "gpt-5"}
    assert metered("input_tokens") == Decimal("1000.25")
    assert reported(found) == []
    assert (found.percent, found.bytes_read) == (100, found.byte_size)
    assert_rollups_equal_events()


def test_each_verdict_is_counted_and_told(chat: Customer) -> None:
    report(an_event("known", properties={"input_tokens": 7}))
    found = taken_in(
        HEADER
        + line("a") + line("a") + line("known") + line("q", customer="nobody") + line("r", "many")
        + line("") + "x,llm.call,chat,yesterday,1,\n" + "short,llm.call\n"
    )  # fmt: skip
    assert counts(found) == {"accepted": 1, "duplicates": 1, "conflicts": 1, "quarantined": 1, "rejected": 4}
    assert reported(found) == [
        (3, "a", "duplicate", "duplicate"),
        (4, "known", "conflict", "id_conflict"),
        (5, "q", "quarantined", "unknown_customer"),
        (6, "r", "rejected", "invalid_value"),
        (7, "", "rejected", "missing_id"),
        (8, "x", "rejected", "invalid_timestamp"),
        (9, "", "rejected", "wrong_number_of_cells"),
    ]
    rows = list(csv.DictReader(io.StringIO(files.report_path_of(found).read_text())))
    assert rows[3]["param"] == "/properties/input_tokens"
    assert QuarantinedEvent.objects.get().event_id == "q"


def test_the_verdicts_are_those_of_the_api(chat: Customer) -> None:
    """A file taken in after the API, and the other way round, changes nothing."""
    sent = an_event(
        "e1", properties={"input_tokens": Decimal("1.50"), "model": "gpt-5", "deep": {"a": [1, None]}}
    )
    report(sent)
    written = json.dumps(sent, default=lambda _: "@").replace('"@"', "1.50")
    assert counts(taken_in(written + "\n", "events.ndjson")) == {"duplicates": 1}
    quoted = json.dumps(sent["properties"], default=lambda _: "@").replace('"@"', "1.50").replace('"', '""')
    text = f'id,event,customer,timestamp,properties\ne1,llm.call,chat,2026-01-15T10:00:00Z,"{quoted}"\n'
    assert counts(taken_in(text)) == {"duplicates": 1}


def test_a_file_is_taken_in_piece_by_piece(chat: Customer) -> None:
    found = made(HEADER + "".join(line(f"e{one}", 1) for one in range(2500)))
    request.start_import(run=found, now=NOW)
    positions: list[int] = []
    run.run_import(import_id=found.pk, listen=lambda one: positions.append(one.position))
    assert positions == [1000, 2000, 2500]
    assert metered("input_tokens") == 2500


def test_it_goes_on_where_it_stopped(chat: Customer) -> None:
    found = made(HEADER + "".join(line(f"e{one}", 1 if one % 10 else "x") for one in range(2500)))
    request.start_import(run=found, now=NOW)
    assert run.run_import(import_id=found.pk, at_most=timedelta(0)) is True
    found.refresh_from_db()
    assert (found.status, found.position, counts(found)) == (
        "running",
        1000,
        {"accepted": 900, "rejected": 100},
    )
    assert run.run_import(import_id=found.pk) is False
    found.refresh_from_db()
    assert (found.status, counts(found)) == ("done", {"accepted": 2250, "rejected": 250})
    assert [number for number, *_ in reported(found)] == [2 + 10 * one for one in range(250)]


def test_what_has_been_read_is_not_read_again(chat: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    found = made(HEADER + "".join(line(f"e{one}", 1) for one in range(2500)))
    request.start_import(run=found, now=NOW)
    parsed: list[int] = []
    record_of = csv_file.record_of

    def counting(*given: Any) -> Any:
        parsed.append(1)
        return record_of(*given)

    monkeypatch.setattr(csv_file, "record_of", counting)
    while run.run_import(import_id=found.pk, at_most=timedelta(0)):
        pass
    # An import of another release does not know its lines, and finds its place by reading.
    assert len(parsed) == 2500
    UsageImport.objects.filter(pk=found.pk).update(
        status="running", lines_read=0, position=2400, accepted=2400
    )
    run.run_import(import_id=found.pk)
    found.refresh_from_db()
    assert (found.position, found.duplicates, len(parsed)) == (2500, 100, 5000)


def test_a_kill_before_the_position_was_stored_doubles_nothing(
    chat: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = made(HEADER + "".join(line(f"e{one}", 1) for one in range(999)) + line("bad", "x"))
    request.start_import(run=found, now=NOW)
    append = run.report.append

    def killed(*args: Any, **wanted: Any) -> int:
        append(*args, **wanted)
        raise KeyboardInterrupt

    monkeypatch.setattr(run.report, "append", killed)
    with pytest.raises(KeyboardInterrupt):
        run.run_import(import_id=found.pk)
    monkeypatch.setattr(run.report, "append", append)
    run.run_import(import_id=found.pk)
    found.refresh_from_db()
    assert (found.status, counts(found)) == ("done", {"duplicates": 999, "rejected": 1})
    assert metered("input_tokens") == 999
    # What the killed run had written to the report is written once.
    assert len(reported(found)) == 1000


def test_a_cancelled_import_stops_and_may_go_on(chat: Customer) -> None:
    found = made(HEADER + "".join(line(f"e{one}", 1) for one in range(1500)))
    request.start_import(run=found, now=NOW)
    run.run_import(import_id=found.pk, listen=lambda one: request.cancel_import(run=found, now=NOW) or None)
    found.refresh_from_db()
    assert (found.status, found.position) == ("cancelled", 1000)
    assert run.run_import(import_id=found.pk) is False
    assert request.start_import(run=found, now=NOW)
    run.run_import(import_id=found.pk)
    found.refresh_from_db()
    assert (found.status, counts(found)) == ("done", {"accepted": 1500})
    with pytest.raises(Refused, match="has been taken in"):
        request.start_import(run=found, now=NOW)


def test_a_file_that_breaks_off_fails_and_keeps_what_it_gave(chat: Customer) -> None:
    found = made(HEADER + line("e1"))
    files.path_of(found).unlink()
    request.start_import(run=found, now=NOW)
    run.run_import(import_id=found.pk)
    found.refresh_from_db()
    assert found.status == "failed"
    assert "No such file" in found.problem


def test_trying_stores_nothing(chat: Customer) -> None:
    found = made(HEADER + line("e1") + line("bad", "x") + line("q", customer="nobody"))
    with nothing_changes_in("acme", "globex"):
        tried = try_out.try_import(run=found, now=NOW)
    assert (tried.record_count, tried.has_more) == (3, False)
    assert tried.taken.counts == {
        "accepted": 1, "duplicates": 0, "conflicts": 0, "quarantined": 1, "rejected": 1,
    }  # fmt: skip
    assert [one.line for one in tried.taken.lines] == [3, 4]


def test_older_events_are_taken_when_it_is_said_from_when(chat: Customer, settings: Any) -> None:
    settings.INGESTION_BACKDATING_DAYS = 1
    assert counts(taken_in(HEADER + line("e1"))) == {"rejected": 1}
    assert counts(taken_in(HEADER + line("e1"), earliest_at=datetime(2026, 1, 1, tzinfo=UTC))) == {
        "accepted": 1
    }


def test_events_that_are_archived_are_not_taken_again(chat: Customer) -> None:
    found = made(HEADER + line("e1"), earliest_at=datetime(2026, 1, 1, tzinfo=UTC))
    ArchivedPartition.objects.create(
        partition="usage_usageevent_202601", starts_at=NOW - timedelta(days=31), ends_at=FEBRUARY,
        format="parquet", file_name="x", row_count=1, byte_size=1, sha256="x", archived_at=NOW,
    )  # fmt: skip
    request.start_import(run=found, now=NOW)
    run.run_import(import_id=found.pk)
    assert [code for *_, code in reported(found)] == ["timestamp_too_old"]
    with pytest.raises(Invalid, match="archived"):
        made(HEADER + line("e2"), earliest_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_the_same_file_is_known(chat: Customer) -> None:
    first = taken_in(HEADER + line("e1"))
    second = made(HEADER + line("e1"), "other.csv")
    assert request.same_file(second) == first
    assert request.same_file(first) is None


def test_a_formula_in_the_report_is_text(chat: Customer) -> None:
    found = taken_in(HEADER + line("=1+1", "x"))
    assert "'=1+1" in files.report_path_of(found).read_text()


# The command


def called(path: Path, *args: str) -> list[str]:
    out = io.StringIO()
    call_command("import_usage", str(path), "--tenant", "acme", *args, stdout=out, stderr=out)
    return out.getvalue().splitlines()


def test_the_command_takes_a_file_in(chat: Customer, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(HEADER + line("e1") + line("bad", "x"))
    tried = called(path, "--dry-run")
    assert tried[-1].startswith("Nothing was stored. Of 2: 1 accepted")
    assert (UsageEvent.objects.count(), UsageImport.objects.count()) == (0, 0)
    shown = called(path)
    assert shown[-2] == "100 %: 2 records: 1 accepted, 0 duplicates, 0 conflicts, 0 quarantined, 1 rejected"
    assert shown[-1].startswith("What was not accepted: ")
    again = called(path)
    assert again[0].startswith("This file was taken in before (imp_")
    assert "1 duplicates" in again[-2]


def test_the_command_goes_on_with_what_was_begun(chat: Customer, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(HEADER + "".join(line(f"e{one}", 1) for one in range(1500)))
    begun = made(path.read_bytes())
    request.start_import(run=begun, now=NOW)
    run.run_import(import_id=begun.pk, at_most=timedelta(0))
    shown = called(path)
    assert shown[0] == f"Going on behind record 1,000 ({begun.public_id})."
    assert UsageImport.objects.get().accepted == 1500


def test_the_command_says_what_is_wrong(in_acme: Any, tmp_path: Path) -> None:
    make_customer()
    with pytest.raises(CommandError, match="can't be read"):
        called(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_text("a,b\n")
    with pytest.raises(CommandError, match="'a' is not known"):
        called(tmp_path / "a.csv")
