"""The opening is billed once, whatever becomes of the start of the timeline afterwards."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection

from apps.invoices.services.close_periods import open_due_subscriptions
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.pause import pause, resume
from apps.tenants.models import Tenant
from tests.scenarios.lifecycle.words import at, base, bills, fresh, run, sell, start

SETUP = base("100", "once", code="setup")


@pytest.fixture
def paused_from_the_start(in_acme: Tenant) -> Subscription:
    """Opened with 30 and a set-up fee of 100 on 1 April, and paused from that very day on."""
    subscription = start(sell("a", base("30", "advance"), SETUP, proration="day"), at("2026-04-01"))
    run(at("2026-04-01 10:00"))
    pause(subscription=subscription, when="now", now=at("2026-04-01 12:00"))
    return fresh(subscription)


def test_a_pause_from_the_first_day_opens_no_second_time(paused_from_the_start: Subscription) -> None:
    """Resumed on 10 April: 21 of 30 days, 21.00, of which 30.00 are billed; and 30.00 for May."""
    resume(subscription=paused_from_the_start, when="now", now=at("2026-04-10 12:00"))
    run(at("2026-05-01"))
    assert bills() == [
        ("26-04-01", "opening", "130.00"),
        ("26-04-01", "26-05-01", "21.00"),  # 21 - 30 + 30
    ]


def test_resumed_after_the_first_period(paused_from_the_start: Subscription) -> None:
    """All of April comes back; May is billed at its end for 22 of 31 days, 30 * 22 / 31 = 21.29, and June ahead."""
    run(at("2026-05-01"))
    resume(subscription=fresh(paused_from_the_start), when="now", now=at("2026-05-10 12:00"))
    run(at("2026-06-01"))
    assert bills() == [
        ("26-04-01", "opening", "130.00"),
        ("26-04-01", "26-05-01", "-30.00"),
        ("26-05-01", "26-06-01", "51.29"),
    ]


def test_there_and_back_at_the_start(in_acme: Tenant) -> None:
    """A plan that asks for nothing at the start, and the first one again, both from the first instant on.

    April was billed when it began; May is billed ahead.
    """
    first, other = sell("a", base("30", "advance"), SETUP), sell("b", base("30"))
    subscription = start(first, at("2026-04-01"))
    run(at("2026-04-01 10:00"))
    for version in (other, first):
        change_subscription(
            subscription=fresh(subscription), plan_version=version, when="date", at=at("2026-04-01"),
            now=at("2026-04-01 12:00"),
        )  # fmt: skip
    assert fresh(subscription).opening_due_at is None
    assert open_due_subscriptions(at("2026-04-02")) == 0
    run(at("2026-05-01"))
    assert bills() == [("26-04-01", "opening", "130.00"), ("26-04-01", "26-05-01", "30.00")]


def test_openings_from_before_are_known(in_acme: Tenant) -> None:
    """The migration: who has an opening is opened, and whose second one is due owes it no more."""
    opened = start(sell("a", base("30", "advance")), at("2026-04-01"))
    run(at("2026-04-01 10:00"))
    assert fresh(opened).opened_at == at("2026-04-01 10:00")
    Subscription.objects.update(opened_at=None, opening_due_at=at("2026-04-10"))
    fill = import_module("apps.invoices.migrations.0011_fill_opened_at").FILL
    with connection.cursor() as cursor:
        cursor.execute(fill)
    opened = fresh(opened)
    assert (opened.opened_at, opened.opening_due_at) == (at("2026-04-01 10:00"), None)
    assert open_due_subscriptions(at("2026-04-10") + timedelta(days=1)) == 0
