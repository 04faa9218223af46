"""Old events are archived and dropped when nobody needs them; totals stay, and nothing counts twice."""

import hashlib
import os
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.tenants.services.advance_clock import advance_clock
from apps.usage.jobs import register_usage_jobs
from apps.usage.models import (
    ArchivedPartition,
    EventKey,
    RetentionCheck,
    UsageBackfill,
    UsageEvent,
    UsageSettings,
)
from apps.usage.services import archive, archive_files, partitions, retention
from apps.usage.services.corrections.backfills import open_backfill
from apps.usage.services.meter_backfill.request import request_backfill
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, make_plan, report
from tests.usage.retained import APRIL, FEBRUARY, JANUARY, MARCH, archived, check, keep, names, used

pytestmark = pytest.mark.usefixtures("archive_place")


def ids() -> set[str]:
    return set(UsageEvent.objects.values_list("event_id", flat=True))


def test_without_a_limit_nothing_goes(three_months: Customer) -> None:
    assert retention.next_check_at() is None
    with nothing_changes_in("acme"):
        assert check(APRIL + timedelta(days=3650)) == 0


def test_what_ended_before_the_limit_is_archived_and_dropped(
    three_months: Customer, archive_place: Path
) -> None:
    keep(40)
    now = FEBRUARY + timedelta(days=40)
    with nothing_changes_in("globex", "public"):
        assert check(now) == 2  # a check, and a partition
    assert (names(), archived()) == (["202602", "202603"], ["202601"])
    assert ids() == {"a2", "b2", "a3", "b3"}
    assert EventKey.objects.count() == 4
    record = ArchivedPartition.objects.get()
    content = (archive_place / record.file_name).read_bytes()
    assert (record.starts_at, record.ends_at, record.row_count) == (JANUARY, FEBRUARY, 2)
    assert (record.byte_size, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [path.name for path in archive_place.iterdir()] == ["usage_usageevent_202601.parquet"]
    assert record.archived_at == now
    assert ArchivedPartition.events_kept_from() == FEBRUARY


def test_a_partition_that_is_not_old_enough_as_a_whole_stays(three_months: Customer) -> None:
    keep(40)
    assert check(FEBRUARY + timedelta(days=40) - timedelta(seconds=1)) == 0
    assert archived() == []


def test_totals_of_whole_hours_and_days_stay(three_months: Customer) -> None:
    keep(40)
    before = used(three_months, JANUARY, APRIL)
    assert before == Decimal(6000)
    check(APRIL + timedelta(days=40))
    assert ids() == set()
    assert used(three_months, JANUARY, APRIL) == before
    assert used(three_months, JANUARY, JANUARY + timedelta(days=5)) == Decimal(1000)


def test_a_question_that_needs_dropped_events_is_refused(three_months: Customer) -> None:
    keep(40)
    check(APRIL)
    assert used(three_months, JANUARY, FEBRUARY) == 2000
    for start, end in (
        (JANUARY + timedelta(minutes=30), FEBRUARY),
        (JANUARY, FEBRUARY - timedelta(seconds=1)),
    ):
        with pytest.raises(Refused) as refused:
            used(three_months, start, end)
        assert refused.value.code == "events_archived"
    assert used(three_months, MARCH + timedelta(minutes=30), APRIL) == 2000


def test_a_second_run_changes_nothing(three_months: Customer) -> None:
    keep(40)
    now = FEBRUARY + timedelta(days=40)
    check(now)
    with nothing_changes_in("acme"):
        assert check(now) == 0
        assert check(now + timedelta(hours=23, minutes=59) - timedelta(hours=now.hour)) == 0


def test_it_is_due_once_a_day(three_months: Customer) -> None:
    keep(40)
    now = FEBRUARY + timedelta(days=40, hours=9)
    assert retention.next_check_at() == FEBRUARY + timedelta(days=40)
    check(now)
    assert retention.next_check_at() == MARCH + timedelta(days=40)
    check(MARCH + timedelta(days=41, hours=9))
    assert archived() == ["202601", "202602"]
    assert RetentionCheck.objects.get().checked_at == MARCH + timedelta(days=41, hours=9)


def test_events_are_kept_longer_than_they_may_be_backdated(in_acme: Tenant) -> None:
    """The database sees to it, whoever writes the row."""
    with pytest.raises(IntegrityError, match="usage_kept_longer_than_backdating"), transaction.atomic():
        keep(34, backdating=35)
    keep(35, backdating=35)
    assert UsageSettings.objects.get().retention_days == 35


@pytest.mark.parametrize(
    ("needed", "expected"),
    [
        (JANUARY + timedelta(days=1), []),
        (FEBRUARY - timedelta(microseconds=1), []),
        (FEBRUARY, ["202601"]),
        (MARCH - timedelta(days=1), ["202601"]),
        (None, ["202601", "202602", "202603"]),
    ],
)
def test_what_another_app_needs_stays(
    three_months: Customer, no_holds: dict[str, retention.Hold], needed: datetime | None, expected: list[str]
) -> None:
    keep(40)
    retention.register_hold("disputes", lambda: needed)
    check(APRIL + timedelta(days=40))
    assert archived() == expected
    assert retention.cutoff_at(APRIL + timedelta(days=40), retention_days=40).held_by == (
        "" if needed is None else "disputes"
    )


def test_an_open_backfill_keeps_its_range(three_months: Customer) -> None:
    register_usage_jobs()
    keep(40)
    backfill = UsageBackfill.objects.create(
        starts_at=FEBRUARY, ends_at=MARCH, reason="late", actor_kind="system"
    )
    check(APRIL + timedelta(days=40))
    assert archived() == ["202601"]
    UsageBackfill.objects.filter(pk=backfill.pk).update(status="discarded", ended_at=APRIL)
    check(APRIL + timedelta(days=41))
    assert archived() == ["202601", "202602", "202603"]


@pytest.mark.parametrize("ask", ["backfill", "meter backfill", "limit"])
def test_what_is_asked_for_while_a_file_is_written_keeps_the_partition(
    three_months: Customer, monkeypatch: pytest.MonkeyPatch, ask: str
) -> None:
    register_usage_jobs()
    keep(40)
    write = archive_files.write

    def write_slowly(**wanted: Any) -> Any:
        if ask == "backfill":
            open_backfill(starts_at=FEBRUARY, ends_at=MARCH, reason="Lost", now=APRIL, mode="replace")
        elif ask == "meter backfill":
            request_backfill(meter=make_meter("younger"), starts_at=FEBRUARY, now=APRIL)
        else:
            keep(None)
        return write(**wanted)

    now = MARCH + timedelta(days=40)
    check(FEBRUARY + timedelta(days=40))
    monkeypatch.setattr(archive_files, "write", write_slowly)
    assert check(now) == 1
    assert (archived(), RetentionCheck.objects.get().problem) == (["202601"], "")
    assert used(three_months, FEBRUARY, MARCH) == Decimal(2000)


def test_a_file_that_reads_back_differently_drops_nothing(
    three_months: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(40)
    write = archive_files.write

    def spoil(**wanted: Any) -> Any:
        written = write(**wanted)
        path = archive_files.directory() / wanted["file_name"]
        content = bytearray(path.read_bytes())
        middle = content.index(b"a1")
        content[middle] ^= 1
        path.write_bytes(content)
        return written

    monkeypatch.setattr(archive_files, "write", spoil)
    monkeypatch.setattr(archive.settings, "USAGE_ARCHIVE_FORMAT", "parquet")
    before = ids()
    assert check(FEBRUARY + timedelta(days=40)) == 1
    assert (ids(), archived()) == (before, [])
    assert "usage_usageevent_202601" in RetentionCheck.objects.get().problem
    monkeypatch.setattr(archive_files, "write", write)
    assert check(FEBRUARY + timedelta(days=41)) == 2
    assert RetentionCheck.objects.get().problem == ""


def test_an_event_that_comes_between_file_and_drop_stops_the_drop(three_months: Customer) -> None:
    keep(100, backdating=100)
    made = archive.archive_partition(partitions.existing()[0])
    report(an_event("late", timestamp=(JANUARY + timedelta(days=8)).isoformat()), now=APRIL)
    with pytest.raises(archive.ArchiveError, match="has changed"):
        retention.drop(made, now=FEBRUARY + timedelta(days=100))
    assert "late" in ids()
    assert archived() == []
    assert EventKey.objects.count() == 7


def test_a_full_disk_drops_nothing(three_months: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(40)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert check(FEBRUARY + timedelta(days=40)) == 1
    assert (archived(), len(ids())) == ([], 6)
    assert "No space left" in RetentionCheck.objects.get().problem
    assert list(archive_files.directory().iterdir()) == []


def test_a_record_of_an_archive_is_a_fact(three_months: Customer) -> None:
    keep(40)
    check(FEBRUARY + timedelta(days=40))
    for statement in (
        "UPDATE usage_archivedpartition SET row_count = 0",
        "DELETE FROM usage_archivedpartition",
        "TRUNCATE usage_archivedpartition",
    ):
        with pytest.raises(IntegrityError, match="its rows are facts"), transaction.atomic():
            connection.cursor().execute(statement)


def test_a_sandbox_archives_as_its_clock_moves(
    in_sandbox: Tenant, no_holds: dict[str, retention.Hold]
) -> None:
    make_customer()
    make_plan()
    report(an_event("e1", timestamp="2026-01-01T00:00:00Z"))
    keep(40)
    advance_clock(tenant=in_sandbox, to=FEBRUARY + timedelta(days=39, hours=23))
    assert archived() == []
    done = advance_clock(tenant=in_sandbox, to=FEBRUARY + timedelta(days=40))
    assert archived() == ["202601"]
    assert done.jobs["retention"] == 2
    assert RetentionCheck.objects.get().checked_at == FEBRUARY + timedelta(days=40)
    # The checks of the days after that find nothing, and hold nobody up.
    advance_clock(tenant=in_sandbox, to=FEBRUARY + timedelta(days=50))
    assert archived() == ["202601"]
