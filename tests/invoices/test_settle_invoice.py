"""Open, paid, uncollectible, void: which state follows which, with a reason and an audit entry each."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from apps.audit.models import AuditEntry
from apps.core.errors import Invalid, Refused
from apps.invoices.models import Invoice
from apps.invoices.services import settle_invoice, void_invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_plan, make_subscription

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
LATER = FEBRUARY + timedelta(days=9)
Verb = Callable[..., Invoice]


def pay(invoice: Invoice, reason: str = "Bank transfer") -> Invoice:
    return settle_invoice.mark_paid(invoice=invoice, reference="TR-7", reason=reason, now=LATER)


def give_up(invoice: Invoice, reason: str = "Insolvent") -> Invoice:
    return settle_invoice.mark_uncollectible(invoice=invoice, reason=reason, now=LATER)


def take_back(invoice: Invoice, reason: str = "They are back") -> Invoice:
    return settle_invoice.take_back_uncollectible(invoice=invoice, reason=reason, now=LATER)


def void(invoice: Invoice, reason: str = "Wrong address") -> Invoice:
    return void_invoice.void_invoice(invoice=invoice, reason=reason, now=LATER)


VERBS = {"pay": pay, "give_up": give_up, "take_back": take_back, "void": void}
WAYS: dict[str, list[Verb]] = {
    "draft": [], "open": [], "paid": [pay], "uncollectible": [give_up], "void": [void],
    "open again": [give_up, take_back],
}  # fmt: skip
ALLOWED = {
    "draft": {},
    "open": {"pay": "paid", "give_up": "uncollectible", "void": "void"},
    "open again": {"pay": "paid", "give_up": "uncollectible", "void": "void"},
    "uncollectible": {"pay": "paid", "take_back": "open", "void": "void"},
    "paid": {},
    "void": {},
}


@pytest.fixture
def draft(in_acme: Tenant) -> Invoice:
    make_subscription(plan_version=make_plan("base", [flat("31")]))
    close_due_periods(FEBRUARY)
    return Invoice.objects.get()


def in_state(draft: Invoice, state: str) -> Invoice:
    if state == "draft":
        return draft
    invoice = finalize_invoice(invoice=draft, now=FEBRUARY)
    for verb in WAYS[state]:
        invoice = verb(invoice)
    return invoice


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", WAYS)
def test_which_state_follows_which(draft: Invoice, state: str, verb: str) -> None:
    invoice = in_state(draft, state)
    wanted = ALLOWED[state].get(verb)
    if wanted is None:
        with nothing_changes_in("acme"), pytest.raises(Refused):
            VERBS[verb](invoice)
        return
    entries = AuditEntry.objects.count()
    VERBS[verb](invoice)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.status_changed_at) == (wanted, LATER)
    assert invoice.payment_status == ("paid" if wanted == "paid" else "unpaid")
    assert AuditEntry.objects.count() == entries + 1
    entry = AuditEntry.objects.latest("id")
    assert (entry.target_id, entry.reason) == (invoice.public_id, invoice.status_reason)
    assert entry.changes["total"] == "31.0000"


@pytest.mark.parametrize("state", ["open", "uncollectible", "paid", "void"])
@pytest.mark.parametrize("status", ["draft", "open", "uncollectible", "paid", "void"])
def test_the_database_knows_the_way_too(draft: Invoice, state: str, status: str) -> None:
    invoice = in_state(draft, state)
    way = {"paid": "paid", "uncollectible": "uncollectible", "void": "void", "open": "open"}.get(status)
    fields = {"status": status, "payment_status": "paid" if status == "paid" else "unpaid"}
    is_allowed = status == state or way in ALLOWED[state].values()
    if is_allowed:
        fields["status_changed_at"] = LATER
        assert Invoice.objects.filter(pk=invoice.pk).update(**fields) == 1
        return
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(**fields)
    assert refused.value.__cause__.sqlstate == "23001"


@pytest.mark.parametrize("status", ["void", "uncollectible", "paid"])
def test_a_draft_is_only_ever_issued(draft: Invoice, status: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Invoice.objects.update(status=status, number="X-1", finalized_at=LATER, status_changed_at=LATER)


@pytest.mark.parametrize("verb", [pay, give_up, void])
@pytest.mark.parametrize("reason", ["", "  ", "x" * 2_001])
def test_a_reason_is_needed(draft: Invoice, verb: Verb, reason: str) -> None:
    invoice = in_state(draft, "open")
    with nothing_changes_in("acme"), pytest.raises(Invalid) as invalid:
        verb(invoice, reason)
    assert invalid.value.param == "/reason"


@pytest.mark.parametrize("reference", ["", " ", "x" * 121])
def test_a_payment_has_a_reference(draft: Invoice, reference: str) -> None:
    invoice = in_state(draft, "open")
    with nothing_changes_in("acme"), pytest.raises(Invalid) as invalid:
        settle_invoice.mark_paid(invoice=invoice, reference=reference, reason="Paid", now=LATER)
    assert invalid.value.param == "/reference"


def test_what_was_paid_is_kept(draft: Invoice) -> None:
    invoice = in_state(draft, "paid")
    invoice.refresh_from_db()
    assert (invoice.payment_reference, invoice.status_reason) == ("TR-7", "Bank transfer")
    assert AuditEntry.objects.get(action="invoice.paid").changes == {
        "status": ["open", "paid"], "total": "31.0000", "currency": "USD", "reference": "TR-7",
    }  # fmt: skip
