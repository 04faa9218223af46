"""Tasks run in the schema they were sent from, or fail. Seen with a real worker on a real broker."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from celery import Task
from django.db import connection
from django_tenants.utils import schema_context, tenant_context
from kombu import Connection

from apps.core.tasks import SCHEMA_HEADER
from apps.invoices.models import Invoice
from apps.tenants.models import Tenant
from apps.tenants.tasks import run_due_jobs, run_due_jobs_everywhere
from config.celery import app
from config.local.broker import Broker
from tests.harness.databases import ROOT
from tests.harness.factories import flat, make_customer, make_plan, make_subscription
from tests.harness.server import environment_for

SECONDS = 40


@dataclass
class Worker:
    broker_url: str
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def send(self, task: "Task[..., object]", **options: object) -> None:
        with Connection(self.broker_url) as to_broker:
            task.apply_async(connection=to_broker, **options)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)


@pytest.fixture
def worker(fresh_database: str) -> Iterator[Worker]:
    with tempfile.TemporaryDirectory(prefix="ch-", dir="/tmp") as place:
        broker = Broker(Path(place))
        broker.ensure_running()
        url = "redis+socket://" + quote(str(broker.socket))
        found = Worker(url, Path(place) / "worker.log")
        command = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "--pool", "solo"]
        command += ["--loglevel", "INFO", "--without-gossip", "--without-mingle"]
        with found.log.open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT, env=environment_for(fresh_database, CELERY_BROKER_URL=url),
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            found.wait_until(lambda: "ready." in found.output)
            yield found
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            broker.stop()


def due_in(tenant: Tenant) -> None:
    """One period that has ended, and nothing else."""
    with tenant_context(tenant):
        make_subscription(
            make_customer(), make_plan("base", [flat("31")]), started_at=datetime(2026, 10, 1, tzinfo=UTC)
        )


def invoices_of(tenant: Tenant) -> int:
    with tenant_context(tenant):
        return Invoice.objects.count()


def test_a_worker_runs_each_task_where_it_was_sent_from(
    worker: Worker, acme: Tenant, globex: Tenant, sandbox: Tenant
) -> None:
    for tenant in (acme, globex):
        due_in(tenant)
    # A task without a tenant any more: it fails, and runs nowhere.
    worker.send(run_due_jobs, headers={SCHEMA_HEADER: "deleted"})
    worker.wait_until(lambda: "DoesNotExist" in worker.output)
    assert (invoices_of(acme), invoices_of(globex)) == (0, 0)

    with tenant_context(acme):
        worker.send(run_due_jobs)
    worker.wait_until(lambda: worker.output.count("succeeded") == 1)
    assert invoices_of(acme) >= 1
    assert (invoices_of(globex), invoices_of(sandbox)) == (0, 0)

    with schema_context("public"):
        worker.send(run_due_jobs_everywhere)
    # One in public, and one for each of the three tenants.
    worker.wait_until(lambda: worker.output.count("succeeded") == 5)
    assert invoices_of(globex) == invoices_of(acme)
    assert "tenants.run_due_jobs_everywhere" in worker.output


def ran_in(header: dict[str, str]) -> str:
    """Run a task in this process as a worker would, with the headers of its message."""
    seen: list[str] = []

    @app.task(name="tests.look", bind=True)
    def look(self: "Task[..., object]") -> None:
        seen.append(connection.schema_name)

    try:
        look.push_request(headers=header, **header)
        look()
    finally:
        look.pop_request()
        app.tasks.pop("tests.look", None)
    return seen[0]


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("header", "schema"),
    [({SCHEMA_HEADER: "acme"}, "acme"), ({SCHEMA_HEADER: "public"}, "public"), ({}, "public")],
)
def test_the_header_names_the_schema(header: dict[str, str], schema: str) -> None:
    with schema_context("globex"):
        assert ran_in(header) == schema
        assert connection.schema_name == "globex"


@pytest.mark.usefixtures("acme")
def test_a_task_of_a_tenant_that_is_gone_fails(globex: Tenant) -> None:
    with tenant_context(globex), pytest.raises(Tenant.DoesNotExist):
        ran_in({SCHEMA_HEADER: "deleted"})
    assert connection.schema_name == "public"
