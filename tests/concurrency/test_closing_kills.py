"""kill -9 of a closing worker at ten named points: a rerun makes the very invoices, and nothing twice."""

import signal
import subprocess
import sys
from typing import Any

import pytest
from django.db import connections
from django_tenants.utils import tenant_context

from apps.invoices.due import due_to_close
from apps.invoices.models import BillingRun, Invoice, ParkedSubscription
from apps.invoices.services.close_periods import close_due_periods
from apps.tenants.models import Tenant
from tests.concurrency.closing_worker import BROKEN, NOW, POINTS
from tests.harness.databases import ROOT
from tests.harness.factories import (
    an_event,
    make_customer,
    make_meter,
    make_plan,
    make_subscription,
    per_unit,
    report,
)
from tests.harness.server import environment_for
from tests.invoices.ledger import fee

CUSTOMERS = 5
MONTHS = 3


def work(url: str, point: str) -> int:
    """The worker's exit code."""
    command = [sys.executable, "-m", "tests.concurrency.closing_worker", point]
    done = subprocess.run(
        command, cwd=ROOT, env=environment_for(url), check=False, capture_output=True, text=True, timeout=120
    )
    if done.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(done.stderr)
    return done.returncode


def furnish() -> None:
    make_meter("calls", aggregation="count", unit="call")
    version = make_plan("pro", [fee("31", "advance"), per_unit("calls", "0.25")])
    for number in range(CUSTOMERS):
        make_subscription(make_customer(f"c{number}"), version)
        report(
            *(
                an_event(f"{number}-{n}", customer=f"c{number}", timestamp=f"2026-0{1 + n % 3}-05T10:00:00Z")
                for n in range(3 + number)
            ),
            now=NOW,
        )


def documents() -> list[Any]:
    """Whole invoices without ids and instants of the machine."""
    return [
        (
            one.customer.external_id, one.kind, one.period_start, one.period_end, one.status, one.currency,
            one.subtotal, one.total, one.unpriced, one.usage_cutoff_at, one.finalize_due_at, one.created_at,
            [
                (line.position, line.kind, line.price.code, line.description, line.period_start, line.period_end,
                 line.quantity, line.unit_amount, line.event_count, line.unrounded_amount, line.amount, line.steps)
                for line in one.lines.select_related("price")
            ],
        )
        for one in Invoice.objects.select_related("customer").order_by(
            "customer__external_id", "period_start", "-kind"
        )
    ]  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
def test_a_rerun_after_a_kill_makes_the_very_invoices(
    fresh_database: str, acme: Tenant, globex: Tenant, point: str
) -> None:
    """Globex has the same customers and is closed without a kill, by the same code in this process."""
    with tenant_context(acme):
        furnish()
    connections.close_all()
    assert work(fresh_database, point) == -signal.SIGKILL
    assert work(fresh_database, "") == 0
    with tenant_context(acme):
        found = documents()
        assert due_to_close(NOW).count() == 0
        parked = ParkedSubscription.objects.get()
        assert parked.subscription.customer.external_id == BROKEN
        assert parked.is_open
        kept = [(run.billed_count, run.parked_count) for run in BillingRun.objects.all()]
    # An opening and three months each, of all but the one that can't be billed.
    assert len(found) == (CUSTOMERS - 1) * (MONTHS + 1)
    assert sum(billed for billed, _ in kept) == (CUSTOMERS - 1) * MONTHS
    assert sum(count for _, count in kept) == 1
    with tenant_context(globex):
        furnish()
        assert expected() == found


def expected() -> list[Any]:
    """The same without a kill, and without the customer who can't be billed."""
    close_due_periods(NOW)
    return [one for one in documents() if one[0] != BROKEN]
