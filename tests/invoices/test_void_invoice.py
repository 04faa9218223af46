"""Void and reissue: whatever is voided in whatever order, what is charged in the end is what re-rating says."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from apps.audit.models import AuditEntry
from apps.core.errors import Refused
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services.close_periods import close_due_periods, open_due_subscriptions
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.invoices.services.void_invoice import reissue_invoice, void_invoice
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_meter, make_plan, make_subscription
from tests.invoices.ledger import APRIL, FEBRUARY, JANUARY, MARCH, fee, lines, metered, use

DAY = timedelta(days=1)
TIERS = [{"up_to": "100", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}]


@pytest.fixture
def subscription(in_acme: Tenant) -> Subscription:
    """Units at 1.00 each, from the 101st at 0.50; 10.00 a month at its end."""
    make_meter("units", event_name="llm.call")
    version = make_plan("tiered", [flat("10"), metered("graduated", meter="units", tiers=TIERS)])
    return make_subscription(plan_version=version)


def bill(now: datetime) -> None:
    open_due_subscriptions(now)
    close_due_periods(now)
    finalize_due_invoices(now + 2 * DAY)


def of_month(start: datetime) -> Invoice:
    return Invoice.objects.exclude(status="void").get(period_start=start, kind="cycle")


def charged() -> Decimal:
    total = Invoice.objects.exclude(status="void").aggregate(total=Sum("total"))["total"]
    assert isinstance(total, Decimal)
    return total


def test_a_void_invoice_is_reissued_from_the_facts_as_they_are_now(subscription: Subscription) -> None:
    use("a", "2026-01-05T00:00:00Z", units=90)
    bill(FEBRUARY)
    first = of_month(JANUARY)
    assert first.total == 100  # 10 + 90 × 1
    use("late", "2026-01-06T00:00:00Z", units=20)
    draft = reissue_invoice(invoice=first, reason="Wrong address", now=FEBRUARY + 3 * DAY)
    first.refresh_from_db()
    assert (first.status, first.reissued_as, draft.reissue_of) == ("void", draft, first)
    assert (draft.kind, draft.period, draft.status) == (first.kind, first.period, "draft")
    assert draft.total == 115  # 10 + 100 × 1 + 10 × 0.5
    issued = finalize_invoice(invoice=draft, now=FEBRUARY + 3 * DAY)
    assert (first.number, issued.number) == ("ACME-2026-000001", "ACME-2026-000002")
    bill(MARCH)
    assert charged() == 125
    actions = AuditEntry.objects.filter(target_id=first.public_id).values_list("action", flat=True)
    assert set(actions) == {"invoice.finalized", "invoice.voided", "invoice.reissued"}


def test_a_late_event_between_voiding_and_reissuing_is_charged_once(subscription: Subscription) -> None:
    use("a", "2026-01-05T00:00:00Z", units=90)
    bill(FEBRUARY)
    void = void_invoice(invoice=of_month(JANUARY), reason="Wrong", now=FEBRUARY + 3 * DAY)
    use("late", "2026-01-06T00:00:00Z", units=20)
    use("b", "2026-02-06T00:00:00Z", units=1)
    bill(MARCH)  # February is issued while January has no invoice
    assert lines(of_month(FEBRUARY)) == [
        ("flat", "Base fee", None, "10.00"), ("usage", "Units", "1", "1.00"),
    ]  # fmt: skip
    reissue_invoice(invoice=void, reason="Right now", now=MARCH + 3 * DAY)
    finalize_due_invoices(MARCH + 9 * DAY)
    assert charged() == 115 + 11
    bill(APRIL)
    assert charged() == 115 + 11 + 10


def test_late_usage_that_stood_on_the_void_invoice_comes_again(subscription: Subscription) -> None:
    """February's invoice charged 20 late units of January. They are not forgotten with it."""
    use("a", "2026-01-05T00:00:00Z", units=90)
    bill(FEBRUARY)
    use("late", "2026-01-06T00:00:00Z", units=20)
    bill(MARCH)
    second = of_month(FEBRUARY)
    assert second.total == 25  # 10 + 0 usage + (110 units at 105 − 90)
    void_invoice(invoice=second, reason="Wrong", now=MARCH + 3 * DAY)
    assert charged() == 100
    bill(APRIL)  # without a reissue the next invoice takes the late usage
    assert of_month(MARCH).total == 25
    reissue_invoice(invoice=second, reason="Right", now=APRIL + 3 * DAY)
    finalize_due_invoices(APRIL + 9 * DAY)
    assert charged() == 115 + 10 + 10


def test_refuses_while_later_invoices_charged_the_difference_to_it(subscription: Subscription) -> None:
    use("a", "2026-01-05T00:00:00Z", units=90)
    bill(FEBRUARY)
    for number, month in enumerate((MARCH, APRIL)):
        use(f"late-{number}", "2026-01-06T00:00:00Z", units=20)
        bill(month)
    first, second, third = of_month(JANUARY), of_month(FEBRUARY), of_month(MARCH)
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        void_invoice(invoice=first, reason="Wrong", now=APRIL)
    assert refused.value.code == "invoices_rest_on_it"
    assert [error["message"] for error in refused.value.errors or []] == [third.number, second.number]
    with nothing_changes_in("acme"), pytest.raises(Refused):
        reissue_invoice(invoice=first, reason="Wrong", now=APRIL)
    # In the order it said, all three can go and come again.
    for invoice in (third, second, first):
        void_invoice(invoice=invoice, reason="Wrong", now=APRIL)
    assert Invoice.objects.exclude(status="void").count() == 0
    for invoice in (first, second, third):
        reissue_invoice(invoice=invoice, reason="Right", now=APRIL)
    assert finalize_due_invoices(APRIL + 2 * DAY) == 3
    assert charged() == 10 * 3 + 100 + 30 * Decimal("0.5")


def test_refuses_while_a_later_invoice_settled_its_fees(in_acme: Tenant) -> None:
    """The opening charged January's fee, January's invoice February's: each rests on the one before."""
    make_subscription(plan_version=make_plan("ahead", [fee("31", "advance"), fee("5", "once")]))
    bill(FEBRUARY)
    opening, january = Invoice.objects.order_by("id")
    assert (opening.kind, opening.total, january.total) == ("opening", 36, 31)
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        void_invoice(invoice=opening, reason="Wrong", now=MARCH)
    assert refused.value.code == "invoices_rest_on_it"
    void_invoice(invoice=january, reason="Wrong", now=MARCH)
    void_invoice(invoice=opening, reason="Wrong", now=MARCH)
    reissue_invoice(invoice=opening, reason="Right", now=MARCH)
    reissue_invoice(invoice=january, reason="Right", now=MARCH)
    bill(MARCH + DAY)
    assert charged() == 5 + 31 * 3  # January, February, March


def test_refuses_to_reissue_what_a_later_invoice_charged_itself(in_acme: Tenant) -> None:
    make_subscription(plan_version=make_plan("ahead", [fee("31", "advance")]))
    bill(FEBRUARY)
    january = of_month(JANUARY)
    void_invoice(invoice=january, reason="Wrong", now=FEBRUARY + 3 * DAY)
    bill(MARCH)  # nobody had charged February's fee, so its own invoice did
    february = of_month(FEBRUARY)
    assert february.total == 62
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        reissue_invoice(invoice=january, reason="Right", now=MARCH + 3 * DAY)
    assert refused.value.code == "fees_billed_since"
    void_invoice(invoice=february, reason="Newest first", now=MARCH + 3 * DAY)
    reissue_invoice(invoice=january, reason="Right", now=MARCH + 3 * DAY)
    reissue_invoice(invoice=february, reason="Right", now=MARCH + 3 * DAY)
    assert finalize_due_invoices(MARCH + 9 * DAY) == 2
    assert charged() == 31 * 3


def test_is_reissued_once_and_again_from_the_reissue(subscription: Subscription) -> None:
    bill(FEBRUARY)
    first = of_month(JANUARY)
    draft = reissue_invoice(invoice=first, reason="Wrong", now=FEBRUARY + 3 * DAY)
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        reissue_invoice(invoice=first, reason="Again", now=FEBRUARY + 3 * DAY)
    assert refused.value.code == "reissued_already"
    second = finalize_invoice(invoice=draft, now=FEBRUARY + 3 * DAY)
    third = reissue_invoice(invoice=second, reason="Still wrong", now=FEBRUARY + 4 * DAY)
    assert third.reissue_of == second


def test_a_reissue_goes_before_younger_drafts(subscription: Subscription) -> None:
    bill(FEBRUARY)
    close_due_periods(MARCH)
    younger = Invoice.objects.get(status="draft")
    draft = reissue_invoice(invoice=of_month(JANUARY), reason="Wrong", now=MARCH)
    with pytest.raises(Refused) as refused:
        finalize_invoice(invoice=younger, now=MARCH)
    assert refused.value.code == "earlier_draft"
    finalize_invoice(invoice=draft, now=MARCH)
    finalize_invoice(invoice=younger, now=MARCH)
    assert charged() == 20


def test_lines_of_a_void_invoice_stay(subscription: Subscription) -> None:
    bill(FEBRUARY)
    void = void_invoice(invoice=of_month(JANUARY), reason="Wrong", now=MARCH)
    assert InvoiceLine.objects.filter(invoice=void).count() == 2
    assert void.total == 10
