"""A meter that reads the past while others write, and when its worker is killed: the result is the same."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from apps.catalog.models import Meter
from apps.core.errors import Refused
from apps.tenants.models import Tenant
from apps.usage.models import MeterBackfill
from apps.usage.services.corrections.void_event import void_event
from apps.usage.services.meter_backfill import run
from apps.usage.services.meter_backfill.request import request_backfill
from tests.concurrency.together import returned, together
from tests.harness.databases import ROOT
from tests.harness.factories import make_customer, make_meter, report
from tests.usage.counting import assert_totals_equal_what_counts
from tests.usage.test_meter_backfill import KINDS, kind, past, plain, stored

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def two_of_each(fresh_database: str, in_acme: Tenant) -> list[tuple[Meter, str]]:
    """A live meter of each kind, and events that came before their younger twins."""
    make_customer("chat")
    make_customer("code")
    make_meter("any", value_property="any")
    live = [(kind(f"live-{name}", name), name) for name in KINDS]
    report(*past(400), now=NOW)
    return live


def test_equals_live_while_two_writers_ingest_and_somebody_voids(
    two_of_each: list[tuple[Meter, str]], acme: Tenant
) -> None:
    late = past(300, seed=6)

    def write(events: list[dict]) -> str:
        for start in range(0, len(events), 15):
            report(*events[start : start + 15], now=NOW)
        return "written"

    def read() -> str:
        """The meters are made while the others write: some of their batches don't know them yet."""
        for _, name in two_of_each:
            asked = request_backfill(meter=kind(f"younger-{name}", name), now=NOW)
            assert run.run_backfill(backfill_id=asked.pk, now=NOW, chunk=30).status == "done"
        return "read"

    def void() -> str:
        for number in random.Random(3).sample(range(400), 60):
            try:
                void_event(event_id=f"p5-{number}", reason="Test data", now=NOW)
            except Refused as refused:
                return refused.code
        return "voided"

    calls = [partial(write, late[::2]), partial(write, late[1::2]), read, void]
    assert returned(together(acme, calls)) == ["written", "written", "read", "voided"]
    for live, name in two_of_each:
        younger = Meter.objects.get(code=f"younger-{name}")
        assert plain(stored(younger)) == plain(stored(live)), name
    assert_totals_equal_what_counts()


WORKER = """
import django
django.setup()
from django_tenants.utils import schema_context
from apps.core import clock
from apps.usage.services.meter_backfill import run
with schema_context("acme"):
    run.run_backfill(backfill_id={pk}, now=clock.now(), chunk=10)
"""


@pytest.mark.parametrize("name", ["sum", "unique", "level"])
def test_a_killed_worker_is_followed_by_another(
    two_of_each: list[tuple[Meter, str]], fresh_database: str, name: str
) -> None:
    younger = kind("younger", name)
    asked = request_backfill(meter=younger, now=NOW)
    environment = {
        **os.environ,
        "DATABASE_URL": fresh_database,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }
    worker = subprocess.Popen([sys.executable, "-c", WORKER.format(pk=asked.pk)], cwd=ROOT, env=environment)
    deadline = time.monotonic() + 60
    while MeterBackfill.objects.get(pk=asked.pk).events_seen < 50:
        assert time.monotonic() < deadline
        assert worker.poll() is None
        time.sleep(0.002)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    left = MeterBackfill.objects.get(pk=asked.pk)
    assert left.status == "running"
    assert left.events_seen < 400
    MeterBackfill.objects.update(stepped_at=NOW - timedelta(days=1))
    assert run.waiting() == [asked.pk]
    done = run.run_backfill(backfill_id=asked.pk, now=NOW)
    assert (done.status, done.events_seen) == ("done", 400)
    live = Meter.objects.get(code=f"live-{name}")
    assert plain(stored(younger)) == plain(stored(live))


def test_two_workers_double_nothing(two_of_each: list[tuple[Meter, str]], acme: Tenant) -> None:
    younger = kind("younger", "sum")
    asked = request_backfill(meter=younger, now=NOW)
    work = partial(run.run_backfill, backfill_id=asked.pk, now=NOW, chunk=20)
    assert {done.status for done in returned(together(acme, [work, work, work]))} == {"done"}
    assert MeterBackfill.objects.get().events_seen == 400
    assert plain(stored(younger)) == plain(stored(Meter.objects.get(code="live-sum")))
