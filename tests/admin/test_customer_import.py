"""Customers from a file: first a dry run, then through the service; and out again."""

import csv
import io

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.audit.models import AuditEntry
from apps.customers.models import Customer
from tests.admin.business import Business
from tests.harness.clients import Staff
from tests.harness.factories import make_customer

IMPORT = "/admin/customers/customer/import/"
PROCESS = "/admin/customers/customer/process_import/"
ROWS = "external_id,name,email,parent,currency,time_zone\r\n"


def upload(staff: Staff, rows: str) -> object:
    file = SimpleUploadedFile("customers.csv", (ROWS + rows).encode(), content_type="text/csv")
    return staff.post(IMPORT, {"import_file": file, "format": "0", "resource": "0"})


def test_a_dry_run_changes_nothing(olga: Staff, business: Business) -> None:
    response = upload(olga, "new,New,,chat,USD,UTC\r\n")
    assert response.status_code == 200  # type: ignore[attr-defined]
    assert response.context["confirm_form"]  # type: ignore[attr-defined]
    assert not Customer.objects.filter(external_id="new").exists()
    assert not AuditEntry.objects.filter(target_label="New").exists()


def test_confirming_imports_through_the_service(olga: Staff, business: Business) -> None:
    response = upload(olga, "new,New,,chat,USD,UTC\r\nchat,Renamed,,,USD,UTC\r\n")
    confirm = response.context["confirm_form"]  # type: ignore[attr-defined]
    done = olga.post(PROCESS, {name: value for name, value in confirm.initial.items() if value is not None})
    assert done.status_code == 302
    new = Customer.objects.get(external_id="new")
    assert (new.name, new.parent, new.public_id[:4]) == ("New", business.customer, "cus_")
    assert AuditEntry.objects.get(action="customer.created", actor=olga.email).target_id == new.public_id
    assert AuditEntry.objects.get(action="customer.changed").changes["name"] == ["Chat Assistant", "Renamed"]


def test_a_wrong_row_is_named_and_stops_the_import(olga: Staff, business: Business) -> None:
    response = upload(olga, "good,Good,,,USD,UTC\r\nbad,Bad,,,USD,Mars/Olympus\r\n")
    assert "confirm_form" not in response.context  # type: ignore[attr-defined]
    assert "Mars/Olympus" in response.content.decode()  # type: ignore[attr-defined]
    assert not Customer.objects.filter(external_id="good").exists()


def test_an_export_runs_no_formula(olga: Staff, business: Business) -> None:
    make_customer("evil", name="=HYPERLINK(1)")
    form = {"format": "0", "resource": "0"} | {
        f"customerresource_{name}": "on" for name in ("external_id", "name")
    }
    response = olga.post("/admin/customers/customer/export/", form)
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert {row["external_id"]: row["name"] for row in rows} == {
        "chat": "Chat Assistant",
        "evil": "'=HYPERLINK(1)",
    }
