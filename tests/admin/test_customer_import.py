"""Customers from a file: first a dry run, then through the service; and out again."""

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEntry
from apps.customers.models import Customer
from apps.invoices.models import CustomerTerms, LegalEntity
from apps.invoices.services import entities
from tests.admin.business import Business
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import make_customer

IMPORT = "/admin/customers/customer/import/"
PROCESS = "/admin/customers/customer/process_import/"
ROWS = "external_id,name,email,parent,currency,time_zone\r\n"


def upload(staff: Staff, rows: str) -> Any:
    return upload_file(staff, ROWS + rows)


def upload_file(staff: Staff, text: str) -> Any:
    file = SimpleUploadedFile("customers.csv", text.encode(), content_type="text/csv")
    return staff.post(IMPORT, {"import_file": file, "format": "0", "resource": "0"})


def confirm(staff: Staff, response: Any) -> None:
    form = response.context["confirm_form"]
    done = staff.post(PROCESS, {name: value for name, value in form.initial.items() if value is not None})
    assert done.status_code == 302


def export(staff: Staff) -> str:
    return staff.post("/admin/customers/customer/export/", {"format": "0", "resource": "0"}).content.decode()


def test_a_dry_run_changes_nothing(olga: Staff, business: Business) -> None:
    response = upload(olga, "new,New,,chat,USD,UTC\r\n")
    assert response.status_code == 200
    assert response.context["confirm_form"]
    assert not Customer.objects.filter(external_id="new").exists()
    assert not AuditEntry.objects.filter(target_label="New").exists()


def test_confirming_imports_through_the_service(olga: Staff, business: Business) -> None:
    response = upload(olga, "new,New,,chat,USD,UTC\r\nchat,Renamed,,,USD,UTC\r\n")
    confirm(olga, response)
    new = Customer.objects.get(external_id="new")
    assert (new.name, new.parent, new.public_id[:4]) == ("New", business.customer, "cus_")
    assert AuditEntry.objects.get(action="customer.created", actor=olga.email).target_id == new.public_id
    assert AuditEntry.objects.get(action="customer.changed").changes["name"] == ["Chat Assistant", "Renamed"]


def test_a_wrong_row_is_named_and_stops_the_import(olga: Staff, business: Business) -> None:
    response = upload(olga, "good,Good,,,USD,UTC\r\nbad,Bad,,,USD,Mars/Olympus\r\n")
    assert "confirm_form" not in response.context
    assert "Mars/Olympus" in response.content.decode()
    assert not Customer.objects.filter(external_id="good").exists()


def test_an_export_runs_no_formula(olga: Staff, business: Business) -> None:
    make_customer("evil", name="=HYPERLINK(1)")
    rows = list(csv.DictReader(io.StringIO(export(olga))))
    assert {row["external_id"]: row["name"] for row in rows} == {
        "chat": "Chat Assistant",
        "evil": "'=HYPERLINK(1)",
    }


TERMS = ("external_id", "legal_entity", "payment_due_days", "purchase_order_number", "invoice_memo")
HEAD = ",".join(TERMS) + "\r\n"


@pytest.fixture
def gmbh(business: Business) -> LegalEntity:
    return LegalEntity.objects.create(name="Acme GmbH", number_prefix="ACDE")


def test_terms_come_with_a_dry_run_and_go_through_the_service(
    olga: Staff, business: Business, gmbh: LegalEntity
) -> None:
    response = upload_file(olga, HEAD + "chat,ACDE,7,PO-1,- Dept. 7\r\n")
    assert "ACDE" in response.content.decode()
    assert not CustomerTerms.objects.exists()
    confirm(olga, response)
    terms = CustomerTerms.objects.get(customer=business.customer)
    assert (terms.legal_entity, terms.payment_due_days, terms.purchase_order_number, terms.memo) == (
        gmbh, 7, "PO-1", "- Dept. 7",
    )  # fmt: skip
    entry = AuditEntry.objects.get(action="invoice_terms.changed")
    assert (entry.actor, entry.changes["payment_due_days"]) == (olga.email, ["", "7"])
    assert not AuditEntry.objects.filter(action="customer.changed").exists()


def test_a_file_goes_out_and_comes_back_as_it_was(olga: Staff, business: Business, gmbh: LegalEntity) -> None:
    entities.change_terms(customer=business.customer, legal_entity=gmbh, payment_due_days=0, memo="= thanks")
    make_customer("plain")
    text = export(olga)
    told = [[row[name] for name in TERMS] for row in csv.DictReader(io.StringIO(text))]
    assert told == [["chat", "ACDE", "0", "", "'= thanks"], ["plain", "", "", "", ""]]
    with nothing_changes_in("acme"):
        response = upload_file(olga, text)
    assert response.context["result"].totals["skip"] == 2
    confirm(olga, response)
    assert CustomerTerms.objects.get().memo == "= thanks"


def test_empty_cells_leave_it_to_the_entity_and_missing_columns_as_it_is(
    olga: Staff, business: Business, gmbh: LegalEntity
) -> None:
    entities.change_terms(
        customer=business.customer, legal_entity=gmbh, payment_due_days=0, purchase_order_number="PO-1"
    )
    confirm(olga, upload_file(olga, "external_id,legal_entity,payment_due_days\r\nchat,,\r\n"))
    terms = CustomerTerms.objects.get()
    assert (terms.legal_entity, terms.payment_due_days, terms.purchase_order_number) == (None, None, "PO-1")


def test_a_new_customer_without_terms_has_none(olga: Staff, business: Business) -> None:
    confirm(olga, upload_file(olga, "external_id,name,payment_due_days\r\nnew,New,\r\nother,Other,30\r\n"))
    assert [(one.customer.external_id, one.payment_due_days) for one in CustomerTerms.objects.all()] == [
        ("other", 30)
    ]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("chat,NONE,,,", "there is none with the number prefix NONE; write ACDE or ACME"),
        ("chat,,366,,", "365"),
        ("chat,,soon,,", "write a whole number of days"),
        ("chat,,-1,,", "write a whole number of days"),
        (f"chat,,,{'x' * 81},", "at most 80 characters"),
    ],
)
def test_wrong_terms_are_named(
    olga: Staff, business: Business, gmbh: LegalEntity, cells: str, words: str
) -> None:
    response = upload_file(olga, HEAD + cells + "\r\n")
    assert "confirm_form" not in response.context
    assert words in response.content.decode()
    assert not CustomerTerms.objects.exists()


def test_a_misspelt_column_is_refused(olga: Staff, business: Business) -> None:
    response = upload_file(olga, "external_id,payment_days\r\nchat,7\r\n")
    assert "unknown columns: payment_days" in response.content.decode()


def test_an_import_asks_the_same_for_the_terms_of_many(
    olga: Staff, business: Business, gmbh: LegalEntity
) -> None:
    """A customer costs a fixed number of questions more; the entities are read once."""
    for index in range(20):
        make_customer(f"more-{index}")
    with CaptureQueriesContext(connection) as captured:
        upload_file(olga, HEAD + "".join(f"more-{index},ACDE,7,,\r\n" for index in range(20)))
    read = [one["sql"] for one in captured if 'ORDER BY "invoices_legalentity"."number_prefix"' in one["sql"]]
    assert len(read) == 1


def test_support_imports_customers_and_no_invoice_terms(sam: Staff, business: Business) -> None:
    """As on a customer's page, where support sees the terms and can't change them."""
    sam.get(IMPORT)  # signs in
    with nothing_changes_in("acme"):
        response = upload_file(sam, "external_id,name,payment_due_days\r\nchat,Chat,90\r\n")
    assert "confirm_form" not in response.context
    assert "leave out the columns payment_due_days" in response.content.decode()
    confirm(sam, upload(sam, "chat,Renamed,,,USD,UTC\r\n"))
    assert Customer.objects.get(external_id="chat").name == "Renamed"
    assert not CustomerTerms.objects.exists()
