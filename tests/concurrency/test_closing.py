"""Several closers and people at once, on connections of their own."""

import threading
from datetime import UTC, datetime
from functools import partial

import pytest
from django.db import connection

from apps.core.errors import Refused
from apps.invoices.models import BillingRun, Invoice
from apps.invoices.services import close_batch, close_periods
from apps.invoices.services.close_periods import close_due_periods, close_now
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.change_subscription import change_subscription
from apps.tenants.models import Tenant
from tests.concurrency.together import returned, together
from tests.harness.factories import flat, make_customer, make_plan, make_subscription
from tests.invoices.ledger import FEBRUARY, MARCH

MAY = datetime(2026, 5, 2, tzinfo=UTC)


@pytest.fixture
def forty(fresh_database: str, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty customers, four months each, in batches of five."""
    monkeypatch.setattr(close_periods, "BATCH", 5)
    version = make_plan("base", [flat("31")])
    for number in range(40):
        make_subscription(make_customer(f"c{number:02}"), version)


def test_closers_side_by_side_bill_each_period_once(forty: None, acme: Tenant) -> None:
    done = returned(together(acme, [partial(close_due_periods, MAY)] * 4))
    assert sum(done) + close_due_periods(MAY) == 160
    for subscription in Subscription.objects.all():
        starts = [one.period_start.month for one in subscription.invoices.order_by("id")]
        assert starts == [1, 2, 3, 4]
    runs = BillingRun.objects.all()
    assert sum(run.billed_count for run in runs) == 160
    assert all(run.finished_at for run in runs)
    assert sum(one.amount for run in runs for one in run.amounts.all()) == 160 * 31


def test_a_batch_that_is_held_is_left_to_its_holder(forty: None, acme: Tenant) -> None:
    """While the first closer is in the middle of five, the other bills the rest and waits for nobody."""
    is_in_the_middle, go_on = threading.Event(), threading.Event()
    original = close_batch.move_cursors
    seen: list[int] = []

    def move(subscriptions, timelines):
        if threading.current_thread() is not threading.main_thread() and not is_in_the_middle.is_set():
            is_in_the_middle.set()
            assert go_on.wait(30)
        original(subscriptions, timelines)

    def first() -> int:
        return close_due_periods(FEBRUARY)

    def second() -> int:
        assert is_in_the_middle.wait(30)
        try:
            seen.append(close_due_periods(FEBRUARY))
        finally:
            go_on.set()
        return seen[0]

    close_batch.move_cursors = move
    try:
        done = returned(together(acme, [first, second]))
    finally:
        close_batch.move_cursors = original
    assert done == [5, 35]
    assert Invoice.objects.count() == 40


def test_a_change_during_a_close_waits_and_counts_from_the_cursor(
    fresh_database: str, in_acme: Tenant, acme: Tenant
) -> None:
    """The change asks for the row that closing holds; afterwards the period is billed, and it begins after it."""
    old, new = make_plan("old", [flat("31")]), make_plan("new", [flat("62")])
    subscription = make_subscription(make_customer("c"), old)
    is_in_the_middle = threading.Event()
    original = close_batch.move_cursors

    def move(subscriptions, timelines):
        is_in_the_middle.set()
        wait_until_somebody_waits()
        original(subscriptions, timelines)

    def change() -> Subscription:
        assert is_in_the_middle.wait(30)
        return change_subscription(
            subscription=subscription, plan_version=new, when="now", now=FEBRUARY.replace(day=1, hour=1)
        )

    close_batch.move_cursors = move
    try:
        returned(together(acme, [partial(close_due_periods, FEBRUARY), change]))
    finally:
        close_batch.move_cursors = original
    assert [(one.period_start.month, one.total_text) for one in Invoice.objects.order_by("id")] == [
        (1, "31.00")
    ]
    subscription.refresh_from_db()
    assert (subscription.invoiced_until, subscription.plan_version) == (FEBRUARY, new)
    assert subscription.phases.order_by("starts_at").last().starts_at == FEBRUARY.replace(hour=1)
    assert close_due_periods(MARCH) == 1
    assert Invoice.objects.order_by("id").last().period_end == MARCH


def wait_until_somebody_waits() -> None:
    deadline = threading.Event()
    for _ in range(600):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return
        deadline.wait(0.05)
    raise AssertionError("nobody waits")


def test_closers_and_changes_of_all_kinds_at_once(forty: None, acme: Tenant) -> None:
    subscriptions = list(Subscription.objects.order_by("id"))
    version = make_plan("new", [flat("62")])

    def change_some() -> None:
        for one in subscriptions[::4]:
            change_subscription(subscription=one, plan_version=version, when="now", now=MAY)
        for one in subscriptions[1::4]:
            cancel(subscription=one, when="now", unused="credit", now=MAY)

    def close_some() -> int:
        closed = 0
        for one in subscriptions[2::4]:
            try:
                closed += close_now(subscription=one, reason="Now", now=MAY)
            except Refused:
                continue
        return closed

    returned(
        together(
            acme, [partial(close_due_periods, MAY), partial(close_due_periods, MAY), change_some, close_some]
        )
    )
    close_due_periods(MAY)
    for one in subscriptions:
        found = list(one.invoices.order_by("period_start"))
        assert [invoice.period_start.month for invoice in found][:4] == [1, 2, 3, 4]
        assert len({invoice.period_start for invoice in found}) == len(found)
