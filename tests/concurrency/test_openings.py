"""Openings by several workers at once, beside closers, finalizers and a publisher: each due is billed once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db.models import Sum

from apps.catalog.services import plans, versions
from apps.core.errors import Refused
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services.close_periods import close_due_periods, open_due_subscriptions
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.concurrency.together import returned, together
from tests.harness.factories import make_customer, make_plan, make_subscription
from tests.invoices.ledger import fee

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
MIDDLE = datetime(2026, 1, 16, 12, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def subscribed(fresh_database: str, in_acme: Tenant) -> None:
    """Six customers with a set-up fee and a fee at the start of each month."""
    version = make_plan("pro", [fee("5", "once"), fee("31", "advance")])
    for number in range(6):
        make_subscription(make_customer(f"c{number}"), version)


def test_openers_at_once_bill_each_opening_once(subscribed: None, acme: Tenant) -> None:
    done = returned(together(acme, [partial(open_due_subscriptions, JANUARY)] * 4))
    assert sum(done) == 6
    assert list(Invoice.objects.values_list("kind", "total")) == [("opening", Decimal(36))] * 6


def test_openers_closers_and_finalizers_at_once(subscribed: None, acme: Tenant) -> None:
    def tick() -> int:
        return (
            open_due_subscriptions(MAY)
            + close_due_periods(MAY)
            + finalize_due_invoices(MAY + timedelta(days=2))
        )

    returned(together(acme, [tick] * 4))
    tick()
    for subscription in Subscription.objects.all():
        found = list(subscription.invoices.order_by("id").values_list("kind", "total", "status"))
        assert found == [("opening", 36, "open"), *[("cycle", 31, "open")] * 4]
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"ACME-2026-{number:06}" for number in range(1, 31)]


def test_a_publisher_who_moves_everybody_beside_closers(subscribed: None, acme: Tenant) -> None:
    """Whoever comes first: January costs each customer what its versions ask for their time, or all of the old one."""
    version = Subscription.objects.all()[0].plan_version
    draft = plans.draft_version(plan=version.plan, currency="USD", prices=[fee("62", "advance")])

    def publish() -> None:
        versions.publish_version(version=draft, now=MIDDLE, existing="now")

    february = datetime(2026, 2, 1, tzinfo=UTC)
    returned(
        together(
            acme, [publish, partial(open_due_subscriptions, JANUARY), partial(close_due_periods, february)]
        )
    )
    close_due_periods(february)
    finalize_due_invoices(MAY)
    for subscription in Subscription.objects.all():
        moved_at = subscription.phases.get(plan_version=draft).starts_at
        assert moved_at in {MIDDLE, february}
        lines = InvoiceLine.objects.filter(
            invoice__subscription=subscription, period_end__lte=february, price__billing_timing="advance"
        )
        expected = Decimal("46.50") if moved_at == MIDDLE else Decimal(31)
        assert lines.aggregate(total=Sum("amount"))["total"] == expected


def test_two_who_publish_at_once_publish_once(subscribed: None, acme: Tenant) -> None:
    version = Subscription.objects.all()[0].plan_version
    draft = plans.draft_version(plan=version.plan, currency="USD", prices=[fee("62", "advance")])
    calls = [partial(versions.publish_version, version=draft, now=MIDDLE, existing="now")] * 3
    done = together(acme, calls)
    assert [one.code for one in done if isinstance(one, Refused)] == ["not_a_draft"] * 2
    for subscription in Subscription.objects.all():
        assert subscription.phases.count() == 2
