"""The record of a run, and the command."""

import io
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from apps.invoices.models import BillingRun, Invoice
from apps.invoices.services import close_periods
from apps.invoices.services.close_periods import close_due_periods, open_due_subscriptions
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_customer, make_plan, make_subscription
from tests.invoices.ledger import FEBRUARY, JANUARY, MARCH, fee


def test_a_run_says_what_it_billed_in_each_currency(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(close_periods, "BATCH", 2)
    for currency, names in (("USD", "abc"), ("JPY", "d")):
        version = make_plan(f"p{currency.lower()}", [flat("31")], currency=currency)
        for name in names:
            make_subscription(make_customer(name, currency=currency), version)
    assert close_due_periods(MARCH) == 8
    run = BillingRun.objects.get()
    assert (run.kind, run.due_until_at, run.started_by, run.subscription) == ("closing", MARCH, "", None)
    assert (run.due_count, run.billed_count, run.parked_count) == (4, 8, 0)
    assert run.started_at <= run.updated_at
    assert run.finished_at is not None
    assert [(one.currency, one.amount, one.invoice_count) for one in run.amounts.all()] == [
        ("JPY", Decimal(62), 2), ("USD", Decimal(186), 6),
    ]  # fmt: skip


def test_each_batch_is_told_while_the_run_goes_on(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(close_periods, "BATCH", 2)
    version = make_plan("base", [flat("31")])
    for name in "abcde":
        make_subscription(make_customer(name), version)
    seen = []
    original = close_periods.claim

    def claim(*arguments):
        seen.append(BillingRun.objects.get().billed_count)
        return original(*arguments)

    monkeypatch.setattr(close_periods, "claim", claim)
    close_due_periods(FEBRUARY)
    assert seen == [0, 2, 4, 5]


def test_a_run_that_has_nothing_to_do_leaves_no_record(in_acme: Tenant) -> None:
    make_subscription()
    with nothing_changes_in("acme"):
        assert (open_due_subscriptions(JANUARY), close_due_periods(JANUARY)) == (0, 0)


def test_openings_are_a_run_of_their_own(in_acme: Tenant) -> None:
    make_subscription(plan_version=make_plan("pro", [fee("31", "advance")]))
    open_due_subscriptions(JANUARY)
    assert [(run.kind, run.billed_count) for run in BillingRun.objects.all()] == [("opening", 1)]


def test_the_command_bills_one_tenant_or_all(in_acme: Tenant) -> None:
    make_subscription(plan_version=make_plan("pro", [fee("31", "advance")]))
    told = io.StringIO()
    with nothing_changes_in("globex"):
        call_command("close_periods", tenant="acme", now=FEBRUARY, stdout=told)
    assert told.getvalue() == "acme: 1 openings and 1 periods billed, 0 parked.\n"
    assert Invoice.objects.count() == 2
    assert set(BillingRun.objects.values_list("started_by", flat=True)) == {"command line"}
    told = io.StringIO()
    call_command("close_periods", now=FEBRUARY, stdout=told)
    assert "globex: 0 openings and 0 periods billed, 0 parked.\n" in told.getvalue()


def test_the_command_bills_nothing_that_is_to_come(in_acme: Tenant) -> None:
    make_subscription()
    with nothing_changes_in("acme"), pytest.raises(CommandError, match="still to come"):
        call_command("close_periods", tenant="acme", now=FEBRUARY.replace(year=2999), stdout=io.StringIO())
    with pytest.raises(CommandError, match="no tenant"):
        call_command("close_periods", tenant="nobody", stdout=io.StringIO())
