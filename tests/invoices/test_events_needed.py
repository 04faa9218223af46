"""Events are not archived while an invoice may still need them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.invoices import holds
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.invoices.services.settle_invoice import mark_paid, mark_uncollectible
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from apps.tenants.services.advance_clock import advance_clock
from apps.usage.services import retention
from tests.harness.factories import an_event, make_customer, make_plan, make_subscription, report
from tests.usage.retained import APRIL, FEBRUARY, JANUARY, MARCH, archived, check, keep

DAY = timedelta(days=1)
MAY = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> None:
    settings.USAGE_ARCHIVE_DIR = tmp_path


@pytest.fixture
def subscribed(in_sandbox: Tenant) -> Subscription:
    """With an event in January, and events that are kept for 35 days."""
    subscription = make_subscription()
    report(an_event("e1", timestamp=JANUARY.isoformat()))
    keep(35)
    return subscription


def bill(*periods_until: datetime) -> None:
    for now in periods_until:
        close_due_periods(now)
        finalize_due_invoices(now + DAY)


def test_a_period_that_is_not_invoiced_is_needed(subscribed: Subscription) -> None:
    assert holds.open_periods_need() == JANUARY
    assert retention.cutoff_at(APRIL, retention_days=35).held_by == "periods that are not invoiced yet"
    check(APRIL)
    assert archived() == []


def test_a_draft_is_needed(subscribed: Subscription) -> None:
    keep(35, backdating=0)
    close_due_periods(APRIL)
    first, *others = Invoice.objects.order_by("period_start")
    assert (holds.drafts_need(), holds.open_periods_need()) == (JANUARY, APRIL)
    check(APRIL)
    assert archived() == []
    finalize_invoice(invoice=first, now=APRIL)
    assert holds.drafts_need() == FEBRUARY
    for one in others:
        finalize_invoice(invoice=one, now=APRIL)
    assert holds.drafts_need() is None
    check(APRIL + DAY)
    assert archived() == ["202601"]


def pay_all(now: datetime) -> None:
    for one in Invoice.objects.filter(status=Invoice.Status.OPEN, total__gt=0):
        mark_paid(invoice=one, reference="Statement 1", reason="Paid by transfer", now=now)


def test_an_invoice_is_needed_until_it_is_paid(in_sandbox: Tenant) -> None:
    """February's invoice bills late events of January as well."""
    make_subscription()
    keep(35)
    report(an_event("e1", timestamp=JANUARY.isoformat(), properties={"input_tokens": 1_000_000}), now=JANUARY)
    bill(FEBRUARY)
    assert holds.open_invoices_need() == JANUARY
    pay_all(FEBRUARY)
    assert holds.open_invoices_need() is None
    report(
        an_event("e2", timestamp="2026-01-31T00:00:00Z", properties={"input_tokens": 1_000_000}),
        an_event("e3", timestamp="2026-02-15T00:00:00Z", properties={"input_tokens": 1_000_000}),
        now=MARCH,
    )
    bill(MARCH, APRIL, MAY)
    assert holds.open_invoices_need() == JANUARY
    now = MAY + 60 * DAY
    assert retention.cutoff_at(now, retention_days=35).held_by == "invoices that are not paid yet"
    check(now)
    assert archived() == []
    mark_uncollectible(
        invoice=Invoice.objects.get(status=Invoice.Status.OPEN, total__gt=0), reason="Gone", now=now
    )
    assert holds.open_invoices_need() is None
    check(now + DAY)
    assert archived() == ["202601", "202602"]


def test_an_invoiced_period_is_needed_until_late_events_were_billed(subscribed: Subscription) -> None:
    """January takes late events until 8 March; the invoice for March is the first one that sees all of them."""
    bill(FEBRUARY)
    assert holds.late_events_need() == JANUARY
    bill(MARCH)
    assert holds.late_events_need() == JANUARY
    bill(APRIL)
    assert holds.late_events_need() == FEBRUARY


def test_a_late_event_is_billed_before_its_month_is_archived(in_sandbox: Tenant) -> None:
    """As a sandbox lives it: the last moment at which an event of January is taken is 5 March."""
    make_subscription()
    sent = an_event("e1", timestamp="2026-01-29T00:00:00Z", properties={"input_tokens": 1_000_000})
    report(sent, now=FEBRUARY)
    keep(35)
    advance_clock(tenant=in_sandbox, to=datetime(2026, 3, 4, 23, tzinfo=UTC))
    (verdict,) = report(
        an_event("late", timestamp="2026-01-29T00:00:00Z", properties={"input_tokens": 2_000_000})
    )
    assert verdict.status == "accepted"
    advance_clock(tenant=in_sandbox, to=APRIL)
    assert archived() == []
    advance_clock(tenant=in_sandbox, to=datetime(2026, 4, 2, 23, tzinfo=UTC))
    pay_all(APRIL)
    advance_clock(tenant=in_sandbox, to=datetime(2026, 4, 3, tzinfo=UTC))
    assert archived() == ["202601"]
    totals = [one.total for one in Invoice.objects.order_by("period_start")]
    assert totals == [2.5, 0, 5]


def test_archived_periods_are_not_billed_again(in_sandbox: Tenant) -> None:
    """The subscription began in the middle of an hour: without its events nobody could say what January was."""
    make_subscription(started_at=datetime(2026, 1, 10, 9, 30, tzinfo=UTC))
    report(an_event("before", timestamp="2026-01-10T09:29:00Z"), now=FEBRUARY)
    report(
        an_event("after", timestamp="2026-01-10T09:31:00Z", properties={"input_tokens": 1_000_000}),
        now=FEBRUARY,
    )
    keep(35)
    advance_clock(tenant=in_sandbox, to=datetime(2026, 2, 3, tzinfo=UTC))
    pay_all(FEBRUARY)
    advance_clock(tenant=in_sandbox, to=datetime(2026, 8, 3, tzinfo=UTC))
    assert archived() == ["202601", "202602", "202603", "202604", "202605"]
    invoices = Invoice.objects.order_by("period_start")
    assert [one.total for one in invoices] == [2.5, 0, 0, 0, 0, 0, 0]
    assert {line.kind for one in invoices for line in one.lines.all()} == {"usage"}


def test_without_invoices_nothing_is_needed(in_sandbox: Tenant) -> None:
    make_customer()
    make_plan()
    assert (holds.drafts_need(), holds.open_periods_need(), holds.late_events_need()) == (None, None, None)


def test_an_ended_subscription_is_needed_until_the_limit_for_backdating(subscribed: Subscription) -> None:
    bill(FEBRUARY)
    Subscription.objects.update(status=Subscription.Status.ENDED)
    tenant = Invoice.objects.get()
    assert tenant.period_end == FEBRUARY
    assert holds.late_events_need() == JANUARY


def test_a_void_invoice_needs_nothing(subscribed: Subscription) -> None:
    bill(FEBRUARY)
    Invoice.objects.update(status=Invoice.Status.VOID, status_changed_at=FEBRUARY)
    assert holds.late_events_need() is None


def test_every_hold_is_registered() -> None:
    assert set(retention._holds) >= {
        "drafts of invoices",
        "invoices that are not paid yet",
        "periods that are not invoiced yet",
        "invoiced periods that late events may still reach",
        "open backfills",
        "meter backfills at work",
    }
