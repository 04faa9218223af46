"""Thresholds, finalizers and closers at once: what several do is what one would have done."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.db.models import Sum

from apps.invoices.models import BillingRun, Invoice
from apps.invoices.services import bill_thresholds, close_periods
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.set_billing_threshold import set_billing_threshold
from apps.tenants.models import Tenant
from tests.concurrency.together import returned, together
from tests.harness.factories import an_event, make_customer, make_meter, make_plan, make_subscription, report
from tests.invoices.ledger import FEBRUARY, JANUARY, metered

NOW = datetime(2026, 1, 10, tzinfo=UTC)
COUNT = 24


@pytest.fixture
def many(fresh_database: str, in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has used 60 of 1.00, and is billed from 50.00 on; in batches of five."""
    monkeypatch.setattr(close_periods, "BATCH", 5)
    monkeypatch.setattr(bill_thresholds, "BATCH", 5)
    make_meter("units", event_name="llm.call")
    version = make_plan("p", [metered("per_unit", unit_amount="1")])
    for number in range(COUNT):
        subscription = make_subscription(make_customer(f"c{number:02}"), version)
        set_billing_threshold(subscription=subscription, amount=Decimal(50), now=JANUARY)
    use(1, 60)


def use(day: int, units: int) -> None:
    events = [
        an_event(f"{number}-{day}", customer=f"c{number:02}", properties={"units": units},
                 timestamp=f"2026-01-{day:02}T10:00:00Z")
        for number in range(COUNT)
    ]  # fmt: skip
    assert {one.status for one in report(*events)} == {"accepted"}


def test_workers_side_by_side_bill_what_one_would(many: None, acme: Tenant) -> None:
    done = returned(together(acme, [partial(bill_thresholds.bill_thresholds, NOW)] * 4))
    assert sum(done) + bill_thresholds.bill_thresholds(NOW) == COUNT
    assert [one.total for one in Invoice.objects.all()] == [60] * COUNT
    assert not Subscription.objects.filter(parkings__isnull=False).exists()
    runs = BillingRun.objects.filter(kind="thresholds")
    assert sum(run.billed_count for run in runs) == COUNT
    assert all(run.finished_at for run in runs)


def test_each_with_a_clock_of_its_own_and_finalizers_between_them(many: None, acme: Tenant) -> None:
    """Workers whose now differs by moments see what the others have drafted, and what is issued meanwhile."""

    def beat(seconds: int) -> int:
        now = NOW + timedelta(seconds=seconds)
        billed = bill_thresholds.bill_thresholds(now)
        finalize_due_invoices(now)
        return billed

    done = returned(together(acme, [partial(beat, seconds) for seconds in range(4)]))
    finalize_due_invoices(NOW + timedelta(minutes=1))
    assert sum(done) <= COUNT
    beat(61)
    assert [(one.status, one.total) for one in Invoice.objects.all()] == [("open", Decimal(60))] * COUNT
    assert not Subscription.objects.filter(parkings__isnull=False).exists()


def test_a_closer_beside_them(many: None, acme: Tenant) -> None:
    """One is at the last moment of the month, the other behind it: each cycle costs its 120.00."""
    use(20, 60)

    def look() -> int:
        return bill_thresholds.bill_thresholds(FEBRUARY - timedelta(microseconds=1))

    def close() -> int:
        return close_due_periods(FEBRUARY)

    returned(together(acme, [look, close, look, close]))
    later = FEBRUARY + timedelta(days=3)
    close_due_periods(later)
    finalize_due_invoices(later)
    finalize_due_invoices(later)
    assert not Invoice.objects.filter(status="draft").exists()
    totals = Invoice.objects.order_by().values("subscription").annotate(total=Sum("total"))
    assert [one["total"] for one in totals] == [120] * COUNT
    assert not Subscription.objects.filter(parkings__isnull=False).exists()
