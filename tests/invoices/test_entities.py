"""Who issues: legal entities with series of their own, the terms of customers, and invoices of nothing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.models import AuditEntry
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.invoices.models import BillingSettings, CustomerTerms, Invoice, LegalEntity
from apps.invoices.services import change_draft, entities
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in, rolled_back
from tests.harness.factories import an_event, flat, make_customer, make_plan, make_subscription, report

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def without_default() -> None:
    LegalEntity.objects.update(is_default=False)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def gmbh(in_acme: Tenant) -> LegalEntity:
    return LegalEntity.objects.create(
        name="Acme GmbH", address="Hauptstr. 1\n10115 Berlin", country="DE", tax_ids="DE1\nHRB 7",
        number_prefix="ACDE", payment_due_days=7, memo="Danke",
    )  # fmt: skip


@pytest.fixture
def draft(in_acme: Tenant) -> Invoice:
    make_subscription(make_customer(), make_plan("base", [flat("31")]))
    close_due_periods(FEBRUARY)
    return Invoice.objects.get()


def test_the_customer_s_entity_issues_and_is_frozen(gmbh: LegalEntity, draft: Invoice) -> None:
    entities.change_terms(customer=draft.customer, legal_entity=gmbh)
    invoice = finalize_invoice(invoice=draft, now=FEBRUARY)
    LegalEntity.objects.filter(pk=gmbh.pk).update(name="Other", memo="Other", tax_ids="", country="AT")
    invoice.refresh_from_db()
    assert (invoice.number, invoice.legal_entity, invoice.due_on) == (
        "ACDE-2026-000001", gmbh, date(2026, 2, 8),
    )  # fmt: skip
    assert (invoice.seller_name, invoice.seller_address, invoice.seller_tax_id, invoice.memo) == (
        "Acme GmbH", "Hauptstr. 1\n10115 Berlin\nDE", "DE1\nHRB 7", "Danke",
    )  # fmt: skip


def test_the_customer_s_terms_come_before_the_entity_s_and_the_draft_s_before_both(
    gmbh: LegalEntity, draft: Invoice
) -> None:
    entities.change_terms(
        customer=draft.customer, payment_due_days=0, memo="Dept. 7", purchase_order_number="PO-1"
    )
    change_draft.describe_draft(invoice=draft, memo="", purchase_order_number="PO-2")
    invoice = finalize_invoice(invoice=draft, now=FEBRUARY)
    assert (invoice.due_on, invoice.memo, invoice.purchase_order_number) == (
        date(2026, 2, 1), "Dept. 7", "PO-2",
    )  # fmt: skip
    assert AuditEntry.objects.get(action="invoice_terms.changed").changes["purchase_order_number"] == [
        "",
        "PO-1",
    ]
    assert AuditEntry.objects.get(action="invoice.described").changes == {
        "purchase_order_number": ["", "PO-2"]
    }
    with nothing_changes_in("acme"), pytest.raises(Refused):
        change_draft.describe_draft(invoice=invoice, memo="x", purchase_order_number="")


def test_the_same_terms_again_change_nothing(draft: Invoice) -> None:
    entities.change_terms(customer=draft.customer, memo="A")
    with nothing_changes_in("acme"):
        entities.change_terms(customer=draft.customer, memo="A")
    assert CustomerTerms.objects.count() == 1


def test_there_is_always_one_default(gmbh: LegalEntity, draft: Invoice) -> None:
    first = LegalEntity.objects.get(is_default=True)
    entities.make_default(entity=gmbh)
    assert list(LegalEntity.objects.filter(is_default=True)) == [gmbh]
    assert AuditEntry.objects.get(action="legal_entity.made_default").changes == {
        "default": ["Acme", "Acme GmbH"]
    }
    assert finalize_invoice(invoice=draft, now=FEBRUARY).legal_entity == gmbh
    with pytest.raises(IntegrityError), transaction.atomic():
        LegalEntity.objects.filter(pk=first.pk).update(is_default=True)
    with pytest.raises(IntegrityError, match="default"), transaction.atomic():
        without_default()


def test_two_entities_never_share_a_prefix(gmbh: LegalEntity) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        LegalEntity.objects.create(name="Twin", number_prefix="ACDE")


def a_month_without_usage() -> Invoice:
    """The customer pays for usage alone, and used nothing."""
    BillingSettings.objects.update(zero_invoices="nothing_owed")
    make_subscription()
    close_due_periods(FEBRUARY)
    return Invoice.objects.get()


def test_nothing_owed_takes_no_number(in_acme: Tenant) -> None:
    invoice = finalize_invoice(invoice=a_month_without_usage(), now=FEBRUARY)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.payment_status, invoice.number, invoice.due_on) == (
        "paid", "nothing_owed", None, None,
    )  # fmt: skip
    assert (invoice.finalized_at, invoice.customer_name) == (FEBRUARY, "Chat")
    assert AuditEntry.objects.filter(action="invoice.nothing_owed").count() == 1
    with nothing_changes_in("acme"):
        assert finalize_due_invoices(FEBRUARY + 9 * DAY) == 0
        assert close_due_periods(FEBRUARY) == 0


def test_late_usage_of_a_month_of_nothing_joins_the_next_invoice(in_acme: Tenant) -> None:
    finalize_invoice(invoice=a_month_without_usage(), now=FEBRUARY)
    report(an_event(properties={"input_tokens": 1_000_000, "output_tokens": 0}))
    march = datetime(2026, 3, 1, tzinfo=UTC)
    close_due_periods(march)
    assert finalize_due_invoices(march + DAY) == 1
    invoice = Invoice.objects.get(number="ACME-2026-000001")
    assert [(line.kind, line.amount_text) for line in invoice.lines.exclude(amount=0)] == [
        ("adjustment", "2.50")
    ]


def test_charges_that_cancel_out_are_worth_a_document(draft: Invoice) -> None:
    BillingSettings.objects.update(zero_invoices="nothing_owed")
    assert finalize_invoice(invoice=draft, now=FEBRUARY).number == "ACME-2026-000001"


def test_zero_invoices_are_issued_unless_told_otherwise(in_acme: Tenant) -> None:
    draft = a_month_without_usage()
    BillingSettings.objects.update(zero_invoices="issue")
    assert finalize_invoice(invoice=draft, now=FEBRUARY).number == "ACME-2026-000001"


def test_only_nothing_may_be_without_a_number(draft: Invoice) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Invoice.objects.update(
            status="paid", payment_status="nothing_owed", finalized_at=FEBRUARY, status_changed_at=FEBRUARY
        )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    tokens=st.lists(st.integers(0, 10**9), max_size=4),
    base=st.decimals("0", "9999", places=2),
    late=st.integers(0, 10**9),
)
def test_lines_sum_to_the_total(in_acme: Tenant, tokens: list[int], base: Decimal, late: int) -> None:
    with rolled_back():
        version = make_plan("base", [flat(str(base))])
        make_subscription(make_customer("chat"), version)
        make_subscription(Customer.objects.get(), make_plan())
        for number, count in enumerate(tokens):
            report(an_event(f"e{number}", properties={"input_tokens": count, "output_tokens": count // 3}))
        close_due_periods(FEBRUARY)
        finalize_due_invoices(FEBRUARY + DAY)
        report(an_event("late", properties={"input_tokens": late, "output_tokens": 1}))
        close_due_periods(datetime(2026, 3, 1, tzinfo=UTC))
        assert finalize_due_invoices(datetime(2026, 3, 2, tzinfo=UTC)) == 2
        for invoice in Invoice.objects.all():
            assert (
                sum((line.amount for line in invoice.lines.all()), Decimal(0))
                == invoice.total
                == invoice.subtotal
            )
