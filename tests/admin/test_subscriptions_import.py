"""Subscriptions from a file: looked at first, then through `subscribe`; a file that comes twice changes nothing."""

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.audit.models import AuditEntry
from apps.customers.models import Customer
from apps.subscriptions.admin.transfer import COLUMNS
from apps.subscriptions.models import Subscription
from tests.admin.business import Business
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_customer, make_plan

BASE = "/admin/subscriptions/subscription/"
HEAD = "customer,plan,started_at,quantity,billing_anchor,billing_day\r\n"


def upload(staff: Staff, rows: str, head: str = HEAD) -> Any:
    file = SimpleUploadedFile("subscriptions.csv", (head + rows).encode(), content_type="text/csv")
    return staff.post(f"{BASE}import/", {"import_file": file, "format": "0", "resource": "0"})


def confirm(staff: Staff, response: Any) -> Any:
    given = response.context["confirm_form"].initial
    return staff.post(
        f"{BASE}process_import/", {name: value for name, value in given.items() if value is not None}
    )


def prepare() -> None:
    make_customer("tokyo", time_zone="Asia/Tokyo")
    make_plan("desk", [flat("10.00")])


def test_a_look_changes_nothing_and_the_import_subscribes(olga: Staff, business: Business) -> None:
    prepare()
    olga.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        looked = upload(olga, "tokyo,desk,2026-01-31,3,day_of_month,31\r\n")
    assert confirm(olga, looked).status_code == 302
    made = Subscription.objects.get(customer__external_id="tokyo")
    # Local midnight in Tokyo.
    assert made.started_at == datetime(2026, 1, 30, 15, tzinfo=UTC)
    assert (made.billing_day, made.phases.get().quantity) == (31, 3)
    assert AuditEntry.objects.get(action="subscription.created", target_id=made.public_id).actor == olga.email


def test_a_file_that_comes_again_changes_nothing(olga: Staff, business: Business) -> None:
    prepare()
    rows = "tokyo,desk,2026-01-31,3,day_of_month,31\r\n"
    confirm(olga, upload(olga, rows))
    with nothing_changes_in("acme"):
        again = upload(olga, rows)
        assert again.context["result"].totals["skip"] == 1
    refused = upload(olga, "tokyo,desk,2026-01-31,4,day_of_month,31\r\n")
    assert "quantity: it began with 3" in refused.content.decode()


def test_each_wrong_row_names_its_columns_and_nothing_is_imported(olga: Staff, business: Business) -> None:
    prepare()
    response = upload(
        olga,
        "tokyo,desk,2026-01-31,1,,\r\nnobody,desk,2026-01-31,,,\r\ntokyo,none,2026-01-31,,,\r\n"
        "tokyo,desk,soon,many,weekly,\r\ntokyo,desk,2026-02-01,1,day_of_month,\r\n",
    )
    content = response.content.decode()
    assert "confirm_form" not in response.context
    for words in (
        "customer: There is no customer", "plan: Plan", "quantity: write a whole number",
        "billing_anchor: write calendar, anniversary, day_of_month", "billing_day: Give a day from 1 to 31",
    ):  # fmt: skip
        assert words in content, words
    assert not Subscription.objects.filter(customer__external_id="tokyo").exists()


def test_a_file_without_a_column_is_refused_as_a_whole(olga: Staff, business: Business) -> None:
    assert (
        "lacks the columns started_at" in upload(olga, "chat,payg\r\n", "customer,plan\r\n").content.decode()
    )


def exported(staff: Staff) -> str:
    form = {"format": "0", "resource": "0"} | {f"subscriptionresource_{name}": "on" for name in COLUMNS}
    response = staff.post(f"{BASE}export/", form)
    assert response["Content-Type"] == "text/csv", [str(one) for one in response.context["messages"]]
    return str(response.content.decode())


def test_what_goes_out_comes_in_again_unchanged(olga: Staff, business: Business) -> None:
    text = exported(olga)
    rows = list(csv.DictReader(io.StringIO(text)))
    row = next(one for one in rows if one["customer"] == "chat")
    assert (row["customer"], row["plan"], row["quantity"]) == ("chat", "payg", "1")
    with nothing_changes_in("acme"):
        assert upload(olga, text, "").context["result"].totals["skip"] == len(rows)


def test_a_customer_s_currency_stays(olga: Staff, business: Business) -> None:
    file = SimpleUploadedFile(
        "c.csv", b"external_id,name,currency\r\nchat,Chat,EUR\r\n", content_type="text/csv"
    )
    form = {"import_file": file, "format": "0", "resource": "0"}
    response = olga.post("/admin/customers/customer/import/", form)
    assert "confirm_form" not in response.context
    assert "currency stays: write USD" in response.content.decode()
    assert Customer.objects.get(external_id="chat").currency == "USD"


def test_a_threshold_comes_in_and_goes_out(olga: Staff, business: Business) -> None:
    prepare()
    head = "customer,plan,started_at,billing_threshold\r\n"
    for wrong, words in (
        ("many", "billing_threshold: write an amount above zero"),
        ("-1", "billing_threshold: write an amount above zero"),
        ("0.001", "billing_threshold: A threshold is an amount above zero in USD"),
    ):
        assert words in upload(olga, f"tokyo,desk,2026-01-31,{wrong}\r\n", head).content.decode()
    confirm(olga, upload(olga, "tokyo,desk,2026-01-31,99.50\r\n", head))
    made = Subscription.objects.get(customer__external_id="tokyo")
    assert made.billing_threshold == Decimal("99.5")
    rows = csv.DictReader(io.StringIO(exported(olga)))
    [row] = [one for one in rows if one["customer"] == "tokyo"]
    assert row["billing_threshold"] == "99.50"
