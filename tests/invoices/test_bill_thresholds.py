"""Thresholds in batches, the brakes on what they make, and how it is told by pages and API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.invoices.holds import drafts_need
from apps.invoices.line_events import line_events
from apps.invoices.models import BillingSettings, Invoice
from apps.invoices.services.bill_thresholds import Unbilled, bill_thresholds, unbilled_of
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.set_billing_threshold import set_billing_threshold
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in, rolled_back
from tests.harness.factories import an_event, make_meter, make_plan, make_subscription, report
from tests.invoices.ledger import FEBRUARY, JANUARY, metered, use
from tests.invoices.test_close_batches import make_many

NOW = datetime(2026, 1, 25, tzinfo=UTC)
DAY = timedelta(days=1)


def with_thresholds(amount: int) -> None:
    for one in Subscription.objects.all():
        set_billing_threshold(subscription=one, amount=Decimal(amount), now=JANUARY)


def statements(count: int, threshold: int) -> tuple[int, int]:
    """How many a look takes, and how many it bills."""
    make_many(count)
    with_thresholds(threshold)
    with CaptureQueriesContext(connection) as queries:
        billed = bill_thresholds(NOW)
    return len(queries), billed


@pytest.mark.parametrize(("threshold", "billed"), [(1, True), (1_000_000, False)])
def test_a_look_takes_a_fixed_number_of_statements(in_acme: Tenant, threshold: int, billed: bool) -> None:
    found = []
    for count in (2, 9):
        with rolled_back():
            found.append(statements(count, threshold))
    (few, few_billed), (many, many_billed) = found
    assert few == many
    assert (few_billed, many_billed) == ((2, 9) if billed else (0, 0))


def test_what_stands_on_it_is_of_every_kind_of_price_and_no_fee(in_acme: Tenant) -> None:
    make_many(2)
    with_thresholds(1)
    assert bill_thresholds(NOW) == 2
    for invoice in Invoice.objects.all():
        assert {line.kind for line in invoice.lines.all()} == {"usage"}
        assert invoice.finalize_due_at == NOW
        assert invoice.unpriced
    assert drafts_need() == Invoice.objects.earliest("period_start").period_start


@pytest.fixture
def subscription(in_acme: Tenant) -> Subscription:
    """Units at 1.00 each, billed from 50.00 on."""
    make_meter("units", event_name="llm.call", dimensions=["model"])
    made = make_subscription(plan_version=make_plan("p", [metered("per_unit", unit_amount="1")]))
    return set_billing_threshold(subscription=made, amount=Decimal(50), now=JANUARY)


def tick(now: datetime) -> None:
    close_due_periods(now)
    bill_thresholds(now)
    finalize_due_invoices(now)


def pull(**brakes: Any) -> None:
    BillingSettings.objects.update(**brakes)


def test_no_brake_misfires(subscription: Subscription) -> None:
    """Months of 100, 100 and 100, all of it ahead; then one of 100 at its end alone: nothing out of the ordinary."""
    pull(
        brake_on_negative_total=True, brake_on_total_factor=Decimal("1.5"), brake_on_usage_gone=True,
        brake_on_double_charge=True, brake_on_quarantine=True, brake_on_unpriced=True, brake_on_lines_above=5,
    )  # fmt: skip
    for month in (1, 2, 3):
        for day in (5, 10):
            use(f"{month}-{day}", f"2026-{month:02}-{day:02}T00:00:00Z", units=50)
            tick(datetime(2026, month, day, 1, tzinfo=UTC))
        tick(datetime(2026, month + 1, 2, 1, tzinfo=UTC))
    set_billing_threshold(subscription=subscription, now=datetime(2026, 4, 2, tzinfo=UTC), reason="Off")
    use("4", "2026-04-05T00:00:00Z", units=100)
    tick(datetime(2026, 5, 1, tzinfo=UTC))
    tick(datetime(2026, 5, 3, tzinfo=UTC))
    assert not Invoice.objects.filter(status="draft").exists()
    assert [(one.kind, one.total_text) for one in Invoice.objects.order_by("id")] == [
        *[("threshold", "50.00"), ("threshold", "50.00"), ("cycle", "0.00")] * 3,
        ("cycle", "100.00"),
    ]
    # Ten times the mean is still far too much, and it is seen on what is billed ahead.
    set_billing_threshold(
        subscription=subscription, amount=Decimal(50), now=datetime(2026, 5, 4, tzinfo=UTC), reason="On"
    )
    use("5", "2026-05-05T00:00:00Z", units=60)
    tick(datetime(2026, 5, 6, tzinfo=UTC))
    use("6", "2026-05-07T00:00:00Z", units=100)
    tick(datetime(2026, 5, 8, tzinfo=UTC))
    parked = Invoice.objects.get(parked_at__isnull=False)
    reason = parked.park_reasons.get()
    assert (parked.kind, parked.total_text, reason.brake) == ("threshold", "100.00", "large_total")
    assert reason.words == (
        "$160.00, with what was billed ahead, is 1.6 times the mean of the last 4 invoices, $100.00."
    )


def test_quarantine_parks_it_and_there_is_no_other_until_it_is_released(subscription: Subscription) -> None:
    pull(brake_on_unpriced=True)
    use("a", "2026-01-05T00:00:00Z", units=60)
    make_meter("forgotten", event_name="llm.call")
    use("b", "2026-01-05T00:00:00Z", units=1, forgotten=1)
    tick(NOW)
    use("c", "2026-01-06T00:00:00Z", units=600)
    with nothing_changes_in("acme"):
        tick(NOW + DAY)
    [reason] = Invoice.objects.get().park_reasons.all()
    assert reason.brake == "unpriced"


def test_the_events_behind_its_lines(subscription: Subscription) -> None:
    for name, day in (("a", 5), ("b", 26)):
        at = datetime(2026, 1, day, tzinfo=UTC)
        report(an_event(name, timestamp=at.isoformat(), properties={"units": 60}), now=at)
        tick(at + DAY)
    tick(FEBRUARY)
    tick(FEBRUARY + 2 * DAY)
    first, second, cycle = Invoice.objects.order_by("id")

    def behind(invoice: Invoice) -> list[str]:
        line = invoice.lines.select_related("invoice", "price__meter").get(kind="usage")
        return sorted(one.event_id for one in line_events(line).page(limit=9))

    assert [behind(one) for one in (first, second, cycle)] == [["a"], ["a", "b"], ["a", "b"]]
    ahead = cycle.lines.select_related("invoice", "price__meter").get(kind="billed_ahead")
    assert line_events(ahead).page(limit=9) == []


def test_what_is_unbilled_beside_the_threshold(subscription: Subscription) -> None:
    use("a", "2026-01-05T00:00:00Z", units=60)
    assert unbilled_of([subscription], JANUARY) == {}
    assert unbilled_of([subscription], NOW) == {subscription.pk: Unbilled(Decimal(60), Decimal(50))}
    tick(NOW)
    use("b", "2026-01-05T00:00:00Z", units=7)
    assert unbilled_of([Subscription.objects.get()], NOW + DAY)[subscription.pk].amount == 7
    set_billing_threshold(subscription=subscription, now=NOW, reason="Off")
    assert unbilled_of([Subscription.objects.get()], NOW + DAY) == {}
