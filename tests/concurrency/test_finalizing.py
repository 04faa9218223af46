"""What happens between the last look at usage and the commit of an invoice, on connections of their own."""

import threading
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services import finalize_invoice as finalizing
from apps.invoices.services.close_periods import close_due_periods
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.change_subscription import change_subscription
from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.concurrency.test_closing import wait_until_somebody_waits
from tests.concurrency.together import returned, together
from tests.harness.factories import an_event, flat, make_plan, make_subscription, report
from tests.invoices.ledger import FEBRUARY, MARCH

DAY = timedelta(days=1)


@contextmanager
def between_look_and_number(act: Callable[[], None]) -> Any:
    """The finalizer has read usage and written its lines; then this happens, and only then the number is taken."""
    original = finalizing.next_number

    def next_number(*given: Any) -> str:
        act()
        return original(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finalizing, "next_number", next_number)
        yield


def million(event_id: str) -> dict[str, Any]:
    return an_event(event_id, properties={"input_tokens": 1_000_000, "output_tokens": 0})


def usage_amounts() -> list[tuple[str, Decimal]]:
    lines = InvoiceLine.objects.filter(price__code="input_tokens", period_start__lt=FEBRUARY)
    return [(one.kind, one.amount) for one in lines.order_by("invoice_id")]


def test_an_event_after_the_last_look_is_on_the_next_invoice(fresh_database: str, in_acme: Tenant) -> None:
    """Neither waits for the other: it is late by the time of the commit, and no event is on both invoices."""
    make_subscription()
    report(million("known"), now=FEBRUARY)
    close_due_periods(FEBRUARY)
    draft = Invoice.objects.get()
    has_looked, is_stored = threading.Event(), threading.Event()

    def look_away() -> None:
        has_looked.set()
        assert is_stored.wait(30)

    def send() -> None:
        assert has_looked.wait(30)
        try:
            report(million("late"), now=FEBRUARY)
        finally:
            is_stored.set()

    with between_look_and_number(look_away):
        finalize = partial(finalizing.finalize_invoice, invoice=draft, now=FEBRUARY + DAY)
        returned(together(in_acme, [finalize, send]))
    assert UsageEvent.objects.count() == 2
    assert usage_amounts() == [("usage", Decimal("2.50"))]
    close_due_periods(MARCH)
    finalizing.finalize_due_invoices(MARCH + DAY)
    assert usage_amounts() == [("usage", Decimal("2.50")), ("adjustment", Decimal("2.50"))]


def test_an_event_that_is_not_committed_at_the_last_look_is_late(
    fresh_database: str, in_acme: Tenant
) -> None:
    """It was sent before and is committed after: nobody waits, and the next invoice has it."""
    make_subscription()
    close_due_periods(FEBRUARY)
    draft = Invoice.objects.get()
    is_written, is_issued = threading.Event(), threading.Event()

    def send() -> None:
        with transaction.atomic():
            report(million("slow"), now=FEBRUARY)
            is_written.set()
            assert is_issued.wait(30)

    def finalize() -> None:
        assert is_written.wait(30)
        try:
            finalizing.finalize_invoice(invoice=draft, now=FEBRUARY + DAY)
        finally:
            is_issued.set()

    returned(together(in_acme, [send, finalize]))
    assert usage_amounts() == [("usage", Decimal(0))]
    close_due_periods(MARCH)
    finalizing.finalize_due_invoices(MARCH + DAY)
    assert usage_amounts() == [("usage", Decimal(0)), ("adjustment", Decimal("2.50"))]


@pytest.mark.parametrize("verb", ["change", "cancel"])
def test_a_change_during_finalizing_waits_and_is_not_on_it(
    fresh_database: str, in_acme: Tenant, verb: str
) -> None:
    """Finalizing holds the row of the subscription: the fee that it bills ahead is what counted before."""
    fee, other = make_plan("base", [flat("31")]), make_plan("more", [flat("62")])
    subscription = make_subscription(plan_version=fee)
    close_due_periods(FEBRUARY)
    draft = Invoice.objects.get()
    has_looked = threading.Event()

    def look_away() -> None:
        has_looked.set()
        wait_until_somebody_waits()

    def act() -> None:
        assert has_looked.wait(30)
        common = {"subscription": subscription, "when": "now", "now": FEBRUARY + DAY}
        if verb == "change":
            change_subscription(plan_version=other, **common)
        else:
            cancel(unused="credit", **common)

    with between_look_and_number(look_away):
        finalize = partial(finalizing.finalize_invoice, invoice=draft, now=FEBRUARY + DAY)
        returned(together(in_acme, [finalize, act]))
    draft.refresh_from_db()
    assert (draft.status, draft.total_text) == ("open", "31.00")
    close_due_periods(MARCH)
    february = Invoice.objects.get(period_start=FEBRUARY)
    # A day of 28 at 31.00, and 27 at 62.00 when it was changed.
    expected = {"change": "60.90", "cancel": "1.11"}
    assert february.total_text == expected[verb]
