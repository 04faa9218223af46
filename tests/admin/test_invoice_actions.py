"""What staff do to an invoice: each action asks, shows the sum, wants a reason, and calls its service once."""

import pytest

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.invoices.models import BillingSettings, CustomerTerms, Invoice, LegalEntity
from apps.invoices.services import change_draft
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.admin.test_query_counts import queries_of  # noqa: F401
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in

WHY = {"reason": "Because", "confirmed": "yes"}
ISSUED = {
    "mark_paid": ("paid", {"reference": "TR-7"}, "invoice.paid"),
    "mark_uncollectible": ("uncollectible", {}, "invoice.marked_uncollectible"),
    "void": ("void", {}, "invoice.voided"),
    "reissue": ("void", {}, "invoice.voided"),
}


@pytest.mark.parametrize("action", ISSUED)
def test_an_issued_invoice_is_ended_after_a_question(olga: Staff, business: Business, action: str) -> None:
    status, more, entry = ISSUED[action]
    path = page("invoices.invoice", action, business.open_invoice.pk)
    olga.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        asked = olga.get(path).content.decode()
        assert "$52.50" in asked
        assert "Kept for ever" in asked
        assert olga.post(path, more | {"confirmed": "yes"}).status_code == 200  # no reason
    assert olga.post(path, WHY | more).status_code == 302
    invoice = Invoice.objects.get(pk=business.open_invoice.pk)
    assert (invoice.status, invoice.status_reason) == (status, "Because")
    written = AuditEntry.objects.get(action=entry)
    assert (written.actor, written.reason) == (olga.email, "Because")
    assert hasattr(invoice, "reissued_as") == (action == "reissue")
    content = olga.get(page("invoices.invoice", "change", invoice.pk)).content.decode()
    assert "Because" in content


@pytest.mark.parametrize("action", [*ISSUED, "reopen", "finalize", "refresh", "release", "describe"])
def test_who_may_only_read_does_nothing(reader: Staff, business: Business, action: str) -> None:
    reader.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        for invoice in (business.open_invoice, business.draft):
            response = reader.post(page("invoices.invoice", action, invoice.pk), WHY | {"reference": "x"})
            assert response.status_code in (302, 403)


def test_uncollectible_is_taken_back(olga: Staff, business: Business) -> None:
    for action in ("mark_uncollectible", "reopen"):
        olga.post(page("invoices.invoice", action, business.open_invoice.pk), WHY)
    assert Invoice.objects.get(pk=business.open_invoice.pk).status == "open"


def park(business: Business) -> None:
    BillingSettings.objects.update(brake_on_lines_above=1)
    change_draft.refresh_draft(invoice=business.draft, now=clock.now())


def test_a_parked_draft_is_listed_and_released(olga: Staff, business: Business) -> None:
    park(business)
    queue = olga.get("/admin/invoices/invoice/parked/").content.decode()
    for words in ("3 lines, more than 1.", "Chat Assistant", "$52.50", "Release"):
        assert words in queue
    assert "Parked" in olga.get(page("invoices.invoice", "changelist"), {"parked": "yes"}).content.decode()
    assert "Parked drafts" in olga.get("/admin/").content.decode()
    path = page("invoices.invoice", "release", business.draft.pk)
    olga.post(path, WHY | {"total": "52.49"})
    assert Invoice.objects.get(pk=business.draft.pk).is_parked
    olga.post(path, WHY | {"total": "52.50"})
    assert not Invoice.objects.get(pk=business.draft.pk).is_parked
    assert "No draft is held" in olga.get("/admin/invoices/invoice/parked/").content.decode()


def test_a_draft_says_beforehand_what_would_hold_it(olga: Staff, business: Business) -> None:
    BillingSettings.objects.update(brake_on_lines_above=1)
    olga.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        content = olga.get(page("invoices.invoice", "change", business.draft.pk)).content.decode()
    assert "3 lines, more than 1." in content
    olga.post(page("invoices.invoice", "finalize", business.draft.pk), {"confirmed": "yes"})
    draft = Invoice.objects.get(pk=business.draft.pk)
    assert (draft.status, draft.is_parked) == ("draft", True)


def test_memo_and_po_number_are_noted(olga: Staff, business: Business) -> None:
    path = page("invoices.invoice", "describe", business.draft.pk)
    olga.post(path, {"memo": "Thanks", "purchase_order_number": "PO-7", "confirmed": "yes"})
    content = olga.get(page("invoices.invoice", "change", business.draft.pk)).content.decode()
    assert "Thanks" in content
    assert "PO-7" in content


def test_terms_of_a_customer(olga: Staff, reader: Staff, business: Business) -> None:
    path = f"/admin/invoices/legalentity/terms/{business.customer.pk}/"
    assert reader.get(path).status_code == 403
    assert olga.post(path, {"payment_due_days": "400"}).status_code == 200
    assert olga.post(path, {"payment_due_days": "5", "purchase_order_number": "PO-1"}).status_code == 302
    assert CustomerTerms.objects.get(customer=business.customer).payment_due_days == 5
    content = olga.get(page("customers.customer", "change", business.customer.pk)).content.decode()
    assert "PO-1" in content


def test_another_default_entity(olga: Staff, business: Business) -> None:
    form = {"name": "Acme GmbH", "number_prefix": "ACDE", "payment_due_days": "7", "time_zone": "UTC"}
    assert olga.post(page("invoices.legalentity", "add"), form).status_code == 302
    entity = LegalEntity.objects.get(number_prefix="ACDE")
    assert not entity.is_default
    olga.post(page("invoices.legalentity", "make_default", entity.pk), {"confirmed": "yes"})
    assert LegalEntity.objects.get(is_default=True) == entity


def test_pages_have_a_budget(olga: Staff, business: Business, queries_of) -> None:  # noqa: F811
    """With every brake on: reading what would hold a draft costs a fixed number of questions."""
    BillingSettings.objects.all().delete()
    BillingSettings.objects.create(pk=1)
    assert queries_of(page("invoices.invoice", "change", business.draft.pk)) <= 23
    assert queries_of(f"/admin/invoices/invoice/{business.open_invoice.pk}/lines/1/") <= 22
    park(business)
    assert queries_of("/admin/invoices/invoice/parked/") <= 12
