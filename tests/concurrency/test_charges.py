"""Add-ons and one-off charges by several at once, beside closers: attached once, billed once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from apps.catalog.models import Plan
from apps.core.errors import Refused
from apps.invoices.models import InvoiceLine, OneOffCharge
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.invoices.services.one_off_charges import add_charge, charge_at_once, withdraw_charge
from apps.subscriptions.models import Subscription, SubscriptionAddOn
from apps.subscriptions.services.add_ons import attach_add_on
from apps.tenants.models import Tenant
from tests.concurrency.together import returned, together
from tests.harness.factories import make_customer, make_plan, make_subscription
from tests.invoices.ledger import fee
from tests.scenarios.lifecycle.words import base, sell

JANUARY = datetime(2026, 1, 20, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
GIVEN = {"description": "Workshop", "unit_amount": Decimal(250), "reason": "Ordered"}


@pytest.fixture
def subscription(fresh_database: str, in_acme: Tenant) -> Subscription:
    return make_subscription(make_customer("chat"), make_plan("pro", [fee("31", "arrears")]))


def test_charges_beside_closers_are_billed_once_or_refused(subscription: Subscription, acme: Tenant) -> None:
    """A charge that came too late for its cycle is refused, and never lost."""
    charging = partial(add_charge, subscription=subscription, now=JANUARY, **GIVEN)
    closing = partial(close_due_periods, FEBRUARY)
    results = together(acme, [charging, closing, charging, closing, charging])
    refused = [one for one in results if isinstance(one, Exception)]
    assert {one.code for one in refused if isinstance(one, Refused)} <= {"already_billed"}
    assert all(isinstance(one, Refused) for one in refused)
    close_due_periods(FEBRUARY)
    finalize_due_invoices(FEBRUARY + timedelta(days=2))
    assert (
        InvoiceLine.objects.filter(kind="charge").count() == OneOffCharge.objects.count() == 3 - len(refused)
    )


def test_charges_at_one_instant_are_invoices_each(subscription: Subscription, acme: Tenant) -> None:
    charging = partial(charge_at_once, subscription=subscription, now=JANUARY, **GIVEN)
    returned(together(acme, [charging] * 4))
    assert finalize_due_invoices(JANUARY + timedelta(days=2)) == 4
    assert InvoiceLine.objects.filter(kind="charge").values("invoice").distinct().count() == 4


def test_withdrawn_beside_a_closer_it_is_on_none_or_refused(subscription: Subscription, acme: Tenant) -> None:
    charge = add_charge(subscription=subscription, now=JANUARY, **GIVEN)
    withdrawing = partial(withdraw_charge, charge=charge, reason="A slip", now=FEBRUARY)
    result, _ = together(acme, [withdrawing, partial(close_due_periods, FEBRUARY)])
    finalize_due_invoices(FEBRUARY + timedelta(days=2))
    billed = InvoiceLine.objects.filter(one_off=charge).count()
    if isinstance(result, Exception):
        assert isinstance(result, Refused)
        assert (result.code, billed) == ("already_invoiced", 1)
    else:
        assert billed == 0


def test_one_add_on_is_attached_once(subscription: Subscription, acme: Tenant) -> None:
    version = sell("care", base("5"), kind=Plan.Kind.ADD_ON)
    attaching = partial(
        attach_add_on, subscription=subscription, plan_version=version, when="now", now=JANUARY
    )
    results = together(acme, [attaching] * 4)
    codes = [one.code for one in results if isinstance(one, Refused)]
    assert codes == ["already_attached"] * 3
    assert SubscriptionAddOn.objects.count() == 1
