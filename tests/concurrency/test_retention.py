"""Archiving under fire: a kill -9 at any point, writers beside it, readers that don't let go."""

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage.models import ArchivedPartition, EventKey, RetentionCheck, UsageEvent
from apps.usage.services import archive_files, retention
from tests.concurrency.together import returned, together
from tests.harness.databases import ROOT
from tests.harness.factories import an_event, make_customer, make_plan, report
from tests.harness.server import environment_for
from tests.usage.retained import APRIL, FEBRUARY, JANUARY, archived, check, keep, names, rows_of, used

NOW = FEBRUARY + timedelta(days=40)
# Each is a name in a module: the process kills itself when it is called for the nth time.
POINTS = [
    ("archive_files", "write", 1),  # nothing has happened yet
    ("archive_files", "sync_directory", 1),  # the file has its name
    ("archive", "fingerprint", 2),  # the keys are deleted, in the transaction
    ("retention", "drop_table", 1),  # the record is written, in the transaction
    ("retention.RetentionCheck.objects", "update_or_create", 1),  # the partition is gone
]
SCRIPT = """
import importlib, os, signal, sys
import django
django.setup()
from datetime import datetime
from django_tenants.utils import tenant_context
from apps.tenants.models import Tenant
from apps.usage.services import archive, archive_files, retention

def dying(holder, name, count):
    real = getattr(holder, name)
    left = [count]
    def call(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    setattr(holder, name, call)

path, name, count, now = sys.argv[1:]
holder = {"archive": archive, "archive_files": archive_files, "retention": retention}[path.split(".")[0]]
for step in path.split(".")[1:]:
    holder = getattr(holder, step)
dying(holder, name, int(count))
retention._holds.clear()
with tenant_context(Tenant.objects.get(slug="acme")):
    retention.check_retention(datetime.fromisoformat(now))
"""


@pytest.fixture(autouse=True)
def no_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_holds", {})


@pytest.fixture
def january(fresh_database: str, in_acme: Tenant, settings: Any, tmp_path: Path) -> Customer:
    settings.USAGE_ARCHIVE_DIR = tmp_path / "archives"
    customer = make_customer()
    make_plan()
    report(*(an_event(f"e{number}") for number in range(100)), now=FEBRUARY)
    report(an_event("kept", timestamp=FEBRUARY.isoformat()), now=FEBRUARY)
    keep(40)
    return customer


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point[1]}")
def test_a_kill_leaves_nothing_that_the_next_run_does_not_finish(
    january: Customer, fresh_database: str, tmp_path: Path, point: tuple[str, str, int]
) -> None:
    path, name, count = point
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT, path, name, str(count), NOW.isoformat()],
        cwd=ROOT, env=environment_for(fresh_database, USAGE_ARCHIVE_DIR=str(tmp_path / "archives")),
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    # All of it, or none.
    is_gone = ArchivedPartition.objects.exists()
    assert is_gone is (name == "update_or_create")
    assert UsageEvent.objects.count() == EventKey.objects.count() == (1 if is_gone else 101)
    # Whatever a writer was killed over has a name that nobody looks for.
    (archive_files.directory() / ".usage_usageevent_202601.parquet.1.part").write_bytes(b"half")

    check(NOW)
    assert (archived(), names()) == (["202601"], ["202602"])
    assert list(UsageEvent.objects.values_list("event_id", flat=True)) == ["kept"]
    assert EventKey.objects.count() == 1
    record = ArchivedPartition.objects.get()
    assert len(rows_of(record)) == record.row_count == 100
    assert used(january, JANUARY, FEBRUARY) == 100_000
    if not is_gone:  # else nothing was left to check
        assert RetentionCheck.objects.get().problem == ""
        assert [one.name for one in archive_files.directory().iterdir()] == [record.file_name]


def test_two_at_once_archive_once(january: Customer, acme: Tenant) -> None:
    done = returned(together(acme, [partial(check, NOW)] * 3))
    assert sorted(done)[-1] == 2
    assert archived() == ["202601"]


def test_writers_go_on_meanwhile(january: Customer, acme: Tenant) -> None:
    stop = threading.Event()

    def write(name: str) -> int:
        number = 0
        while not stop.is_set() or number < 5:
            events = [an_event(f"{name}-{number}-{one}", timestamp=FEBRUARY.isoformat()) for one in range(20)]
            assert {verdict.status for verdict in report(*events, now=FEBRUARY)} == {"accepted"}
            number += 1
        return number

    def archive_all() -> int:
        try:
            return check(NOW)
        finally:
            stop.set()

    *batches, done = returned(together(acme, [partial(write, "a"), partial(write, "b"), archive_all]))
    assert done == 2
    assert UsageEvent.objects.count() == 1 + 20 * sum(batches) == EventKey.objects.count()
    assert archived() == ["202601"]


def test_a_reader_that_does_not_let_go_is_not_waited_for_long(
    january: Customer, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0)
    with transaction.atomic():
        assert UsageEvent.objects.count() == 101  # holds its lock on the table to the end of the transaction
        (done,) = returned(together(acme, [partial(check, NOW)]))
        # Writers were let through in between.
        connection.cursor().execute("SELECT 1")
    assert done == 1
    assert archived() == []
    assert EventKey.objects.count() == 101
    assert "lock timeout" in RetentionCheck.objects.get().problem
    assert check(NOW + timedelta(days=1)) == 2


def test_what_other_processes_remember_is_dropped_with_it(january: Customer, acme: Tenant) -> None:
    """A batch of January after January is gone is refused for its age and reaches no partition."""
    check(NOW)
    (verdict,) = report(an_event("e1"), now=APRIL)
    assert verdict.code == "timestamp_too_old"
