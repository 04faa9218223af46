"""Usage settings, archives and imports in the back office: asked before less is kept, watched while a file comes in."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.usage.models import ArchivedPartition, UsageEvent, UsageImport, UsageSettings
from apps.usage.services import archive_files
from apps.usage.services.imports import files, run
from apps.usage.services.imports import request as imports
from apps.usage.tasks import run_usage_import
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.harness.clients import Staff

SETTINGS = page("usage.usagesettings", "change", 1)
CSV = "id,event,customer,properties.input_tokens\nf1,llm.call,chat,5\nf2,llm.call,chat,x\n"


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> None:
    settings.USAGE_IMPORT_DIR = tmp_path / "imports"
    settings.USAGE_ARCHIVE_DIR = tmp_path / "archives"


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any) -> list[int]:
    """What would be sent to a worker."""
    found: list[int] = []
    monkeypatch.setattr(run_usage_import, "delay", found.append)
    return found


def form(**changes: object) -> dict[str, object]:
    return {"backdating_days": 35, "partition_span": "month", "retention_days": ""} | changes


# Settings


def test_the_defaults_are_shown_before_there_is_a_row(olga: Staff, business: Business) -> None:
    content = olga.get(SETTINGS).content.decode()
    assert "Keeping events" in content
    assert not UsageSettings.objects.exists()


def test_a_change_is_saved_and_recorded(olga: Staff, business: Business) -> None:
    assert olga.post(SETTINGS, form(backdating_days=20, partition_span="day")).status_code == 302
    saved = UsageSettings.objects.get()
    assert (saved.backdating_days, saved.partition_span, saved.retention_days) == (20, "day", None)
    entry = AuditEntry.objects.get(action="usage_settings.changed")
    assert entry.changes["partition_span"] == ["month", "day"]


def test_keeping_less_asks_first(olga: Staff, business: Business) -> None:
    first = olga.post(SETTINGS, form(retention_days=40))
    assert first.status_code == 200
    content = first.content.decode()
    assert "Keep events for 40 days?" in content
    assert "Partitions that would go" in content
    assert "invoices that are not paid yet" in content
    assert not UsageSettings.objects.exists()
    hidden = dict(first.context["question"].hidden)
    assert olga.post(SETTINGS, hidden | {"confirmed": "yes"}).status_code == 302
    assert UsageSettings.objects.get().retention_days == 40
    # Longer, or the same, needs no question.
    assert olga.post(SETTINGS, form(retention_days=400)).status_code == 302
    assert olga.post(SETTINGS, form(retention_days=399)).status_code == 200
    assert UsageSettings.objects.get().retention_days == 400


def test_events_are_kept_as_long_as_they_may_be_backdated(olga: Staff, business: Business) -> None:
    content = olga.post(SETTINGS, form(retention_days=30)).content.decode()
    assert "Keep events at least as long as they may be backdated." in content
    assert not UsageSettings.objects.exists()


def test_backdating_does_not_reach_into_archives(olga: Staff, business: Business) -> None:
    now = clock.now()
    ArchivedPartition.objects.create(
        partition="usage_usageevent_202601", starts_at=now - timedelta(days=60), ends_at=now - timedelta(days=30),
        format="parquet", file_name="x", row_count=1, byte_size=1, sha256="x", archived_at=now,
    )  # fmt: skip
    content = olga.post(SETTINGS, form(backdating_days=31)).content.decode()
    assert "30 days are the most at present" in content
    assert olga.post(SETTINGS, form(backdating_days=30)).status_code == 302


def test_a_reader_changes_nothing(reader: Staff, business: Business) -> None:
    assert reader.get(SETTINGS).status_code == 200
    for confirmed in ({}, {"confirmed": "yes"}):
        assert reader.post(SETTINGS, form(retention_days=40) | confirmed).status_code == 403
    assert not UsageSettings.objects.exists()


# Partitions and archives


def test_partitions_and_archives_are_on_one_page(olga: Staff, business: Business) -> None:
    content = olga.get(page("usage.archivedpartition", "changelist")).content.decode()
    for words in (
        "Events are kept for ever",
        "Current",
        "1 – 31 Jan 2020",
        "usage_usageevent_202001.parquet",
    ):
        assert words in content


def test_an_archive_is_downloaded_by_those_who_may(olga: Staff, reader: Staff, business: Business) -> None:
    record = ArchivedPartition.objects.get()
    address = page("usage.archivedpartition", "download", record.pk)
    assert olga.get(address).status_code == 302  # the file is missing
    (archive_files.directory() / record.file_name).write_bytes(b"PAR1")
    response = olga.get(address)
    assert b"".join(response.streaming_content) == b"PAR1"  # type: ignore[attr-defined]
    assert AuditEntry.objects.filter(action="archived_partition.downloaded").count() == 1
    assert reader.get(address).status_code == 403
    assert "Download" not in reader.get(page("usage.archivedpartition", "changelist")).content.decode()


# Imports


def upload(staff: Staff, content: str = CSV, name: str = "events.csv", **fields: str) -> Any:
    return staff.post(
        page("usage.usageimport", "add"), {"file": SimpleUploadedFile(name, content.encode()), **fields}
    )


def uploaded(staff: Staff) -> UsageImport:
    response = upload(staff)
    assert response.status_code == 302
    found = UsageImport.objects.get(file_name="events.csv")
    assert response["Location"] == page("usage.usageimport", "change", found.pk)
    return found


def test_a_file_is_uploaded_tried_and_taken_in(olga: Staff, business: Business, sent: list[int]) -> None:
    found = uploaded(olga)
    assert (found.actor, found.status, found.byte_size) == (olga.email, "uploaded", len(CSV))
    tried = olga.get(page("usage.usageimport", "try_out", found.pk)).content.decode()
    for words in ("All 2 records", "Nothing was stored", "f2", "is no number"):
        assert words in tried
    assert not UsageEvent.objects.filter(event_id="f1").exists()

    start = page("usage.usageimport", "start", found.pk)
    assert "Take in the file?" in olga.get(start).content.decode()
    assert olga.post(start).status_code == 302
    found.refresh_from_db()
    assert found.status == "running"
    content = olga.get(page("usage.usageimport", "change", found.pk)).content.decode()
    assert page("usage.usageimport", "progress", found.pk) in content

    run.run_import(import_id=found.pk)
    shown = olga.get(page("usage.usageimport", "progress", found.pk)).content.decode()
    assert "100 %" in shown
    assert "hx-get" not in shown
    report = olga.get(page("usage.usageimport", "report", found.pk))
    assert b"f2,rejected,invalid_value" in b"".join(report.streaming_content)  # type: ignore[attr-defined]
    assert UsageEvent.objects.filter(event_id="f1").exists()
    assert {"usage_import.created", "usage_import.started"} <= set(
        AuditEntry.objects.values_list("action", flat=True)
    )


def test_the_worker_is_sent_for_after_the_commit(
    olga: Staff, business: Business, sent: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    found = uploaded(olga)
    with django_capture_on_commit_callbacks(execute=True):
        olga.post(page("usage.usageimport", "start", found.pk))
    assert sent == [found.pk]


def test_the_task_sends_itself_what_is_left(
    olga: Staff, business: Business, sent: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.usage.tasks.AT_MOST", timedelta(0))
    found = uploaded(olga)
    imports.start_import(run=found, now=clock.now())
    run_usage_import.run(found.pk)
    assert sent == [found.pk]
    run_usage_import.run(found.pk)
    found.refresh_from_db()
    assert (sent, found.status) == ([found.pk], "done")


def test_an_import_is_cancelled_and_gone_on_with(olga: Staff, business: Business) -> None:
    found = uploaded(olga)
    olga.post(page("usage.usageimport", "start", found.pk))
    assert olga.post(page("usage.usageimport", "cancel", found.pk)).status_code == 302
    found.refresh_from_db()
    assert found.status == "cancelled"
    olga.post(page("usage.usageimport", "start", found.pk))
    found.refresh_from_db()
    assert found.status == "running"


def test_the_same_file_warns(olga: Staff, business: Business) -> None:
    first = uploaded(olga)
    imports.start_import(run=first, now=clock.now())
    run.run_import(import_id=first.pk)
    upload(olga, name="again.csv")
    again = UsageImport.objects.get(file_name="again.csv")
    content = olga.get(page("usage.usageimport", "start", again.pk)).content.decode()
    assert "The same file was taken in before" in content


def test_a_file_that_can_not_be_read_is_told_on_the_form(olga: Staff, business: Business) -> None:
    response = upload(olga, "a,b\n1,2\n")
    assert response.status_code == 200
    assert "The column &#x27;a&#x27; is not known." in response.content.decode()
    assert "which format" in upload(olga, name="events.doc").content.decode()
    assert UsageImport.objects.count() == 1
    assert list(files.directory().iterdir()) == []


def test_examples_can_be_taken_in(olga: Staff, business: Business) -> None:
    for name in ("csv", "ndjson"):
        text = olga.get(page("usage.usageimport", "example", name)).content.decode()
        found = imports.create_import(file_name=f"a.{name}", pieces=[text.encode()], now=clock.now())
        imports.start_import(run=found, now=clock.now())
        run.run_import(import_id=found.pk)
        found.refresh_from_db()
        assert found.rejected == 0, name


def test_a_reader_imports_nothing(reader: Staff, olga: Staff, business: Business) -> None:
    found = uploaded(olga)
    for view in ("start", "cancel", "try_out", "report"):
        assert reader.get(page("usage.usageimport", view, found.pk)).status_code == 403, view
        assert reader.post(page("usage.usageimport", view, found.pk)).status_code == 403, view
    assert upload(reader).status_code == 403
    assert reader.get(page("usage.usageimport", "change", found.pk)).status_code == 200


def test_support_imports_nothing(sam: Staff, olga: Staff, business: Business) -> None:
    found = uploaded(olga)
    assert sam.post(page("usage.usageimport", "start", found.pk)).status_code == 403
    assert upload(sam).status_code == 403
