"""Corrections after the invoice: it stays as it is, and the next one takes up the difference, also downwards."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.invoices.models import Invoice
from apps.invoices.services.backfill_preview import preview_backfill
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.backfills import open_backfill
from apps.usage.services.corrections.close_backfill import close_backfill
from apps.usage.services.corrections.revert_backfill import revert_backfill
from apps.usage.services.corrections.stage_events import stage_events
from apps.usage.services.corrections.void_event import void_event
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_meter, make_plan, make_subscription, per_unit, report
from tests.invoices.ledger import lines

JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
MIDDLE = datetime(2026, 2, 15, tzinfo=UTC)


@pytest.fixture
def billed(in_acme: Tenant) -> Invoice:
    """January with ten units at 1.00 is invoiced and finalized."""
    make_meter("units", value_property="units")
    make_subscription(plan_version=make_plan(prices=[per_unit("units", "1.00")]))
    report(used("e1", 7), used("e2", 3), now=FEBRUARY)
    close_due_periods(FEBRUARY)
    return finalize_invoice(invoice=Invoice.objects.get(), now=FEBRUARY + timedelta(days=1))


def used(event_id: str, units: int, day: str = "01-15") -> dict:
    return an_event(event_id, timestamp=f"2026-{day}T10:00:00Z", properties={"units": units})


def next_invoice() -> Invoice:
    close_due_periods(MARCH)
    return finalize_invoice(invoice=Invoice.objects.get(status="draft"), now=MARCH + timedelta(days=1))


def test_a_voided_event_is_credited_on_the_next_invoice(billed: Invoice) -> None:
    before = lines(billed)
    void_event(event_id="e1", reason="Test data", now=MIDDLE)
    report(used("f1", 5, "02-10"), now=MIDDLE)
    following = next_invoice()
    assert lines(following) == [
        ("usage", "Units", "5", "5.00"),
        ("adjustment", "Units: late usage", "-7", "-7.00"),
    ]
    assert str(following.total) == "-2.0000"
    assert lines(Invoice.objects.get(pk=billed.pk)) == before


def test_an_amended_event_is_billed_by_the_difference(billed: Invoice) -> None:
    amend_event(event_id="e1", changes={"properties": {"units": 9}}, reason="Wrong", now=MIDDLE)
    assert lines(next_invoice())[1:] == [("adjustment", "Units: late usage", "2", "2.00")]


def test_an_event_that_moves_to_another_month_is_credited_and_billed(billed: Invoice) -> None:
    amend_event(event_id="e1", changes={"timestamp": MIDDLE - timedelta(days=1)}, reason="Wrong", now=MIDDLE)
    assert lines(next_invoice()) == [
        ("usage", "Units", "7", "7.00"),
        ("adjustment", "Units: late usage", "-7", "-7.00"),
    ]


def test_a_void_of_everything_credits_everything(billed: Invoice) -> None:
    for event_id in ("e1", "e2"):
        void_event(event_id=event_id, reason="Test data", now=MIDDLE)
    assert lines(next_invoice()) == [
        ("usage", "Units", "0", "0.00"),
        ("adjustment", "Units: late usage", "-10", "-10.00"),
    ]


def test_a_draft_follows_when_it_is_finalized(in_acme: Tenant) -> None:
    make_meter("units", value_property="units")
    make_subscription(plan_version=make_plan(prices=[per_unit("units", "1.00")]))
    report(used("e1", 7), used("e2", 3), now=FEBRUARY)
    close_due_periods(FEBRUARY)
    void_event(event_id="e1", reason="Test data", now=FEBRUARY)
    assert lines(finalize_invoice(invoice=Invoice.objects.get(), now=FEBRUARY)) == [
        ("usage", "Units", "3", "3.00")
    ]


def test_a_preview_tells_what_the_next_invoice_will_say(billed: Invoice) -> None:
    report(used("f1", 5, "02-10"), now=MIDDLE)
    backfill = open_backfill(
        starts_at=JANUARY, ends_at=FEBRUARY, mode="replace", reason="Recount", now=MIDDLE
    )
    stage_events(backfill=backfill, events=[used("e1", 1), used("b1", 4)], now=MIDDLE)
    with nothing_changes_in("acme"):
        preview = preview_backfill(backfill=backfill, now=MIDDLE)
    assert preview.outcome == {"accepted": 2, "voided": 2}
    assert [(one.meter.code, one.before, one.after) for one in preview.usage] == [("units", 10, 5)]
    assert [(one.draft, one.period_start, one.before, one.after) for one in preview.invoices] == [
        ("", FEBRUARY, 5, 0)
    ]
    close_backfill(backfill=backfill, now=MIDDLE)
    following = next_invoice()
    assert following.total == 0
    assert lines(following)[1:] == [("adjustment", "Units: late usage", "-5", "-5.00")]


def test_a_reverted_backfill_leaves_the_next_invoice_as_it_was(billed: Invoice) -> None:
    backfill = open_backfill(
        starts_at=JANUARY, ends_at=FEBRUARY, mode="replace", reason="Recount", now=MIDDLE
    )
    close_backfill(backfill=backfill, now=MIDDLE)
    revert_backfill(backfill=backfill, reason="Wrong month", now=MIDDLE)
    assert lines(next_invoice()) == [("usage", "Units", "0", "0.00")]
    assert Subscription.objects.count() == 1
