"""Closing: every period that has ended becomes one invoice, oldest first, each exactly once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.invoices.models import BillingSettings, Invoice
from apps.invoices.services.close_periods import close_due_periods, close_period
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.invoices.services.park_subscription import release_all
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import (
    an_event,
    flat,
    make_customer,
    make_meter,
    make_plan,
    make_subscription,
    per_unit,
    report,
)
from tests.invoices.refusing import refusing

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 2, tzinfo=UTC)


def lines_of(invoice: Invoice) -> list[tuple]:
    return [
        (
            line.kind,
            line.description,
            line.quantity,
            line.event_count,
            line.unrounded_amount,
            line.amount_text,
        )
        for line in invoice.lines.all()
    ]


def bills() -> list[tuple[str, str, str]]:
    return [
        (one.period_start.date().isoformat(), one.period_end.date().isoformat(), one.total_text)
        for one in Invoice.objects.order_by("id")
    ]


@pytest.mark.parametrize(
    ("tokens_in", "tokens_out", "amounts", "total"),
    [
        (18_059_974, 245_896, ("45.15", "2.46"), "47.61"),
        (22_361_870, 4_088_665, ("55.90", "40.89"), "96.79"),
        (0, 0, ("0.00", "0.00"), "0.00"),
        (2_000, 500, ("0.01", "0.01"), "0.02"),  # half a cent each, rounded up at the line
        (1_999, 499, ("0.00", "0.00"), "0.00"),
    ],
)
def test_rounds_each_line_once_and_adds_them_up(
    in_acme: Tenant, tokens_in: int, tokens_out: int, amounts: tuple[str, str], total: str
) -> None:
    make_subscription()
    report(an_event(properties={"input_tokens": tokens_in, "output_tokens": tokens_out}))
    assert close_due_periods(FEBRUARY) == 1
    invoice = Invoice.objects.get()
    assert lines_of(invoice) == [
        ("usage", "Input tokens", tokens_in, 1, Decimal("0.0000025") * tokens_in, amounts[0]),
        ("usage", "Output tokens", tokens_out, 1, Decimal("0.00001") * tokens_out, amounts[1]),
    ]
    assert (invoice.total_text, invoice.subtotal_text) == (total, total)
    assert invoice.total == sum(line.amount for line in invoice.lines.all())


def test_makes_a_draft_and_moves_the_cursor(in_acme: Tenant) -> None:
    subscription = make_subscription()
    assert close_due_periods(FEBRUARY) == 1
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.number, invoice.finalized_at) == ("draft", None, None)
    assert (invoice.period_start, invoice.period_end) == (datetime(2026, 1, 1, tzinfo=UTC), FEBRUARY)
    assert (invoice.created_at, invoice.usage_cutoff_at) == (FEBRUARY, FEBRUARY)
    assert invoice.finalize_due_at == FEBRUARY + timedelta(hours=24)
    subscription.refresh_from_db()
    assert (subscription.invoiced_until, subscription.next_boundary_at) == (
        FEBRUARY, datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip


def test_does_nothing_before_the_end_of_the_period(in_acme: Tenant) -> None:
    make_subscription()
    with nothing_changes_in("acme"):
        assert close_due_periods(FEBRUARY - timedelta(microseconds=1)) == 0


def test_a_second_run_changes_nothing(in_acme: Tenant) -> None:
    make_subscription()
    close_due_periods(MAY)
    with nothing_changes_in("acme"):
        assert close_due_periods(MAY) == 0


def test_after_an_outage_bills_every_month_oldest_first(in_acme: Tenant) -> None:
    chat, code = make_customer("chat"), make_customer("code", time_zone="Pacific/Kiritimati")
    version = make_plan("base", [flat("31")])
    make_subscription(chat, version)
    make_subscription(
        code, version, started_at=datetime(2026, 2, 9, 10, tzinfo=UTC), billing_anchor="anniversary"
    )
    assert close_due_periods(MAY) == 6
    for customer in (chat, code):
        ends = [one.period_end for one in Invoice.objects.filter(customer=customer).order_by("id")]
        assert ends == sorted(ends)
    assert sorted(bills()) == [
        ("2026-01-01", "2026-02-01", "31.00"),
        ("2026-02-01", "2026-03-01", "31.00"),
        ("2026-02-09", "2026-03-09", "31.00"),
        ("2026-03-01", "2026-04-01", "31.00"),
        ("2026-03-09", "2026-04-09", "31.00"),
        ("2026-04-01", "2026-05-01", "31.00"),
    ]


def test_counts_each_event_in_the_period_that_owns_it(in_acme: Tenant) -> None:
    make_meter("calls", aggregation="count", unit="call")
    customer = make_customer(time_zone="Asia/Kathmandu")
    make_subscription(customer, make_plan("calls", [per_unit("calls", "1")]))
    report(
        an_event("before", timestamp="2025-12-31T23:59:59.999999Z"),
        an_event("first", timestamp="2026-01-01T00:00:00Z"),
        an_event("last", timestamp="2026-01-31T18:14:59.9999999Z"),
        an_event("next", timestamp="2026-01-31T18:15:00Z"),
    )
    close_due_periods(datetime(2026, 3, 1, tzinfo=UTC))
    assert [invoice.total_text for invoice in Invoice.objects.order_by("id")] == ["2.00", "1.00"]


@pytest.mark.parametrize(
    ("zone", "started_at", "fee", "amount"),
    [
        ("UTC", "2026-01-11T00:00:00Z", "31", "21.00"),
        ("UTC", "2026-01-01T00:00:00Z", "31", "31.00"),
        ("UTC", "2026-01-31T12:00:00Z", "31", "0.50"),
        ("UTC", "2026-01-31T23:59:59.999999Z", "31", "0.00"),
        ("UTC", "2026-01-16T12:00:00Z", "9.99", "5.00"),  # 4.995
        ("Europe/Berlin", "2026-03-15T23:00:00Z", "74.30", "38.30"),  # 383 of 743 hours
        ("Europe/Berlin", "2026-10-15T22:00:00Z", "74.50", "38.50"),  # 385 of 745 hours
        ("Australia/Lord_Howe", "2026-04-15T13:30:00Z", "1441", "720.00"),  # 720 of 1441 half hours
        ("UTC", "2028-02-15T00:00:00Z", "29", "15.00"),
    ],
)
def test_a_first_period_that_is_cut_short_bears_its_share_of_the_fee(
    in_acme: Tenant, zone: str, started_at: str, fee: str, amount: str
) -> None:
    customer = make_customer(time_zone=zone)
    start = datetime.fromisoformat(started_at)
    subscription = make_subscription(customer, make_plan("base", [flat(fee)]), started_at=start)
    assert close_period(subscription_id=subscription.pk, now=start + timedelta(days=32))
    assert [line.amount_text for line in Invoice.objects.get().lines.all()] == [amount]
    close_period(subscription_id=subscription.pk, now=start + timedelta(days=63))
    full = Decimal(fee).quantize(Decimal("0.01"))
    assert Invoice.objects.first().total_text == str(full)


def test_an_anniversary_period_is_never_cut(in_acme: Tenant) -> None:
    make_subscription(
        plan_version=make_plan("base", [flat("31")]),
        started_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        billing_anchor="anniversary",
    )
    close_due_periods(MAY)
    assert bills() == [
        ("2026-01-31", "2026-02-28", "31.00"),
        ("2026-02-28", "2026-03-31", "31.00"),
        ("2026-03-31", "2026-04-30", "31.00"),
    ]


@pytest.mark.parametrize(
    ("currency", "unit_amount", "quantity", "amount"),
    [
        ("USD", "0.0005", 10, "0.01"),
        ("USD", "0.0005", 9, "0.00"),
        ("JPY", "0.5", 3, "2"),
        ("JPY", "0.4", 1, "0"),
        ("JPY", "1000", 12, "12000"),
        ("KWD", "0.0005", 1, "0.001"),
        ("KWD", "1.2344", 1, "1.234"),
        ("KWD", "1.2345", 1, "1.235"),
    ],
)
def test_rounds_to_the_minor_unit_of_the_currency(
    in_acme: Tenant, currency: str, unit_amount: str, quantity: int, amount: str
) -> None:
    make_meter()
    customer = make_customer(currency=currency)
    make_subscription(customer, make_plan("p", [per_unit("input_tokens", unit_amount)], currency=currency))
    report(an_event(properties={"input_tokens": quantity}))
    close_due_periods(FEBRUARY)
    invoice = Invoice.objects.get()
    assert (invoice.currency, invoice.total_text) == (currency, amount)
    assert [line.amount_text for line in invoice.lines.all()] == [amount]
    assert invoice.lines.get().unrounded_amount == Decimal(unit_amount) * quantity


def test_a_line_says_how_it_came_about(in_acme: Tenant) -> None:
    make_subscription(started_at=datetime(2026, 1, 11, tzinfo=UTC), plan_version=make_plan("b", [flat("31")]))
    close_due_periods(FEBRUARY)
    line = Invoice.objects.get().lines.get()
    assert [step["kind"] for step in line.steps] == ["flat", "proration"]
    assert (
        sum(Decimal(step["amount"]) for step in line.steps if "amount" in step) == line.unrounded_amount == 21
    )


def test_a_subscription_that_can_not_be_billed_does_not_hold_up_the_others(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    version = make_plan("base", [flat("31")])
    broken, fine = (make_subscription(make_customer(name), version) for name in ("a", "b"))
    with refusing(broken, monkeypatch):
        assert close_due_periods(FEBRUARY) == 1
    assert "can't be billed" in caplog.text
    assert Invoice.objects.get().subscription_id == fine.pk
    broken.refresh_from_db()
    assert broken.invoiced_until == broken.started_at
    # It is parked; nothing is tried again until somebody releases it.
    assert close_due_periods(FEBRUARY) == 0
    release_all(reason="Mended", now=FEBRUARY)
    assert close_due_periods(FEBRUARY) == 1
    assert Invoice.objects.count() == 2


def test_an_ended_subscription_is_left_alone(in_acme: Tenant) -> None:
    subscription = make_subscription()
    Subscription.objects.update(status="ended")
    with nothing_changes_in("acme"):
        assert close_due_periods(MAY) == 0
        assert not close_period(subscription_id=subscription.pk, now=MAY)


def test_the_grace_period_is_the_tenant_s(in_acme: Tenant) -> None:
    BillingSettings.objects.update(draft_grace_hours=0)
    make_subscription()
    close_due_periods(FEBRUARY)
    assert Invoice.objects.get().finalize_due_at == FEBRUARY
    assert finalize_due_invoices(FEBRUARY) == 1


def test_the_other_tenant_is_not_billed(in_acme: Tenant, globex: Tenant) -> None:
    make_subscription()
    with nothing_changes_in("globex", "sandbox", "public"):
        close_due_periods(MAY)


def test_amounts_that_no_column_holds_do_not_hold_up_the_others(in_acme: Tenant) -> None:
    """Eleven events of nearly 10^19 are more than rating takes, and money beyond 10^24 more than an invoice does."""
    make_meter()
    expensive = make_plan("expensive", [per_unit("input_tokens", "99999999")])
    huge, fine = make_customer("a"), make_customer("b")
    for customer in (huge, fine):
        make_subscription(customer, expensive)
    report(
        *(an_event(f"e{n}", customer="a", properties={"input_tokens": 10**19 - 1}) for n in range(11)),
        an_event("one", customer="b", properties={"input_tokens": 1}),
        now=FEBRUARY,
    )
    assert close_due_periods(FEBRUARY) == 1
    assert [invoice.customer_id for invoice in Invoice.objects.all()] == [fine.pk]
    assert finalize_due_invoices(FEBRUARY + timedelta(days=2)) == 1
