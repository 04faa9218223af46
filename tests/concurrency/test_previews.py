"""A preview of a change writes drafts and rolls them back: beside those who finalize them, nobody fails."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from apps.invoices.models import Invoice
from apps.invoices.services import close_batch, finalize_invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.preview_change import Preview, preview
from apps.subscriptions.services.pause import pause
from apps.subscriptions.services.subscribe import subscribe
from apps.tenants.models import Tenant
from tests.concurrency.together import returned, together
from tests.harness.factories import make_customer
from tests.scenarios.lifecycle.words import at, base, sell

FEBRUARY = at("2026-02-01")
NOW = at("2026-02-02")


def drafts_of_january(count: int) -> list[Invoice]:
    version = sell("a", *[base("1", code=f"f{number}") for number in range(30)])
    for number in range(count):
        subscribe(
            customer=make_customer(f"c{number}"), plan_version=version, started_at=at("2026-01-01"),
            now=at("2026-01-01"),
        )  # fmt: skip
    close_due_periods(FEBRUARY)
    return list(Invoice.objects.select_related("subscription").order_by("id"))


def test_a_preview_and_a_finalizer_do_not_wait_for_each_other(fresh_database: str, in_acme: Tenant) -> None:
    """30 fees of 1.00 for January. For February 30.00 without the pause; with it 1/28 of each, 0.04, so 1.20."""
    for draft in drafts_of_january(6):
        look = partial(preview, pause, subscription=draft.subscription, now=NOW, when="now")
        finalize = partial(finalize_invoice.finalize_invoice, invoice=draft, now=NOW)
        issued, *seen = returned(together(in_acme, [finalize, look, look]))
        assert issued.status == Invoice.Status.OPEN
        for one in seen:
            assert isinstance(one, Preview)
            # A preview that came before the finalizer shows the draft as well.
            assert (one.before[-1].total, one.after[-1].total) == (30, Decimal("1.20"))
            assert one.difference == Decimal("-28.80")
    assert set(Invoice.objects.values_list("status", "total")) == {("open", 30)}


def deadlock() -> OperationalError:
    error = OperationalError("deadlock detected")
    error.__cause__ = DeadlockDetected("deadlock detected")
    return error


def test_a_deadlock_of_one_invoice_leaves_it_for_the_next_run(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlucky = drafts_of_january(3)[0]
    original = finalize_invoice.try_to_issue

    def gives_way(invoice: Invoice, now: Any) -> Any:
        if invoice == unlucky:
            raise deadlock()
        return original(invoice, now)

    with monkeypatch.context() as patched:
        patched.setattr(finalize_invoice, "try_to_issue", gives_way)
        assert finalize_invoice.finalize_due_invoices(NOW) == 2
    assert Invoice.objects.get(status=Invoice.Status.DRAFT) == unlucky
    assert finalize_invoice.finalize_due_invoices(NOW) == 1


def test_a_deadlock_of_a_batch_is_tried_again_one_by_one(
    in_acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once as a batch, once alone; then the way is free."""
    drafts_of_january(3)
    original, deadlocks = close_batch.store_drafts, [deadlock(), deadlock()]

    def gives_way(*arguments: Any) -> Any:
        if deadlocks:
            raise deadlocks.pop()
        return original(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(close_batch, "store_drafts", gives_way)
        assert close_due_periods(at("2026-03-01")) == 3
    assert Invoice.objects.count() == 6
