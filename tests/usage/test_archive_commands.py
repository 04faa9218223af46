"""`archive_usage` and `read_usage_archive`: what ops calls by hand."""

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.customers.models import Customer
from apps.usage.models import ArchivedPartition
from apps.usage.services import archive_files, retention
from tests.harness.factories import an_event, report
from tests.usage.retained import FEBRUARY, archived, check, keep


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.USAGE_ARCHIVE_DIR = tmp_path
    monkeypatch.setattr(retention, "_holds", {})


def called(name: str, *args: str, tenant: str = "acme") -> list[str]:
    out = io.StringIO()
    call_command(name, "--tenant", tenant, *args, stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def events(chat: Customer) -> list[dict[str, Any]]:
    sent = [
        an_event("e1", properties={"input_tokens": 12345678901234567, "note": 'line\nbreak "quoted"'}),
        an_event("e2", source="gateway", timestamp="2026-01-20T00:00:00.000001Z"),
    ]
    report(*sent, now=FEBRUARY)
    return sent


@pytest.mark.parametrize("format_name", ["parquet", "csv"])
def test_an_archive_reads_as_the_events_were_sent(
    events: list[dict[str, Any]], settings: Any, format_name: str
) -> None:
    settings.USAGE_ARCHIVE_FORMAT = format_name
    keep(40)
    check(FEBRUARY + timedelta(days=40))
    record = ArchivedPartition.objects.get()
    (listed,) = called("read_usage_archive")
    assert listed.split("\t")[:3] == [str(record.pk), record.file_name, "2 events"]
    lines = called("read_usage_archive", str(record.pk))
    assert sorted((json.loads(line) for line in lines), key=lambda one: one["id"]) == events
    assert called("read_usage_archive", str(record.pk), "--customer", "nobody") == []
    everything = json.loads(called("read_usage_archive", str(record.pk), "--all")[0])
    assert (everything["revision"], everything["voided_at"]) == (0, None)
    assert everything["received_at"] == "2026-02-01T00:00:00Z"


def test_a_file_that_was_changed_is_not_read(events: list[dict[str, Any]]) -> None:
    keep(40)
    check(FEBRUARY + timedelta(days=40))
    record = ArchivedPartition.objects.get()
    path = archive_files.directory() / record.file_name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(CommandError, match="checksum differs"):
        called("read_usage_archive", str(record.pk))
    path.unlink()
    with pytest.raises(CommandError, match="missing"):
        called("read_usage_archive", str(record.pk))


def test_archives_by_hand(events: list[dict[str, Any]]) -> None:
    with pytest.raises(CommandError, match="for ever"):
        called("archive_usage")
    keep(40)
    (line,) = called("archive_usage", "--dry-run")
    assert line.startswith("1 partitions with about 2 events")
    assert archived() == []
    assert called("archive_usage") == ["1 partitions archived and dropped."]
    assert archived() == ["202601"]


def test_there_is_no_such_tenant(in_acme: Any) -> None:
    with pytest.raises(CommandError, match="no tenant 'nobody'"):
        called("archive_usage", tenant="nobody")
