"""Plans and prices through spreadsheets: what goes out comes back equal; the published is refused."""

import json
from decimal import Decimal
from typing import Any

import pytest
import tablib
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.audit.models import AuditEntry
from apps.catalog.admin.columns import COLUMNS, definition_row, read_filters, read_tiers
from apps.catalog.admin.transfer import PriceResource
from apps.catalog.models import Meter, Plan, PlanVersion, PriceBook
from apps.catalog.services.plans import NewPrice, draft_version, problems_of
from apps.core.admin.transfer import FORMATS
from apps.core.spreadsheets import read_cell
from apps.tenants.models import Tenant
from tests.admin.test_actions import told
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_meter, make_plan

IMPORT, PROCESS, EXPORT = (
    page("catalog.planversion", name) for name in ("import", "process_import", "export")
)


def everything() -> list[NewPrice]:
    """A price of every model, with all that can stand around one."""
    tiers = [
        {"up_to": "1000.5", "unit_amount": "0.01", "flat_amount": "5"},
        {"up_to": None, "flat_amount": "0"},
    ]
    rates = [{"up_to": "10", "rate": "0.029", "flat_amount": "0.3"}, {"up_to": None, "rate": "0.02"}]
    return [
        flat("49.00"),
        NewPrice("setup", "Set-up", "flat", flat_amount="10", billing_timing="once"),
        NewPrice(
            "unit", "=Per unit", "per_unit", "tokens", unit_amount="0.000000000000000001",
            filters={"model": ["gpt-5", 'say "hi"; a=b|c', "ü"], "region": ["eu west"]},
            more={
                "convert": {"divide_by": "1000", "rounding": "half_up"}, "quantity_included": "5",
                "discount_percent": "12.5", "minimum_amount": "1", "maximum_amount": "99",
            },
        ),
        NewPrice(
            "graduated", "Graduated", "graduated", "tokens",
            more={"tiers": tiers, "first_tier_flat_at_zero": False},
        ),
        NewPrice(
            "volume", "Volume", "volume", "tokens", filters={"model": ["v"]},
            more={"tiers": tiers, "discount_amount": "1"},
        ),
        NewPrice(
            "package", "Package", "package", "tokens2", unit_amount="1.5",
            more={
                "package_size": "1000", "convert": {"multiply_by": "2"},
                "commitment": {"quantity": "10", "true_up": True, "overage_factor": "1.5"},
            },
        ),
        NewPrice(
            "percent", "Percentage", "percentage", "revenue",
            more={"rate": "0.029", "fixed_amount": "0.3", "events_included": 3},
        ),
        NewPrice("percent2", "Percentage 2", "percentage", "revenue2", more={"rate": "0", "amount_included": "7"}),
        NewPrice("gp", "Graduated percentage", "graduated_percentage", "revenue3", more={"tiers": rates}),
        NewPrice("dynamic", "Dynamic", "dynamic", "tokens3", unit_amount_property="price"),
        NewPrice(
            "cost", "Cost plus", "cost_plus", "revenue4", more={"multiplier": "1.2", "commitment": {"amount": "5"}}
        ),
    ]  # fmt: skip


@pytest.fixture
def draft(in_acme: Tenant) -> PlanVersion:
    make_meter("tokens", dimensions=["model", "region"])
    for code in ("tokens2", "tokens3", "revenue", "revenue2", "revenue3", "revenue4"):
        make_meter(code)
    return make_plan("pro", everything(), publish=False)


def rows_of(version: PlanVersion) -> list[dict[str, str]]:
    prices = version.prices.select_related("meter").prefetch_related("tiers", "filters")
    return [definition_row(price) for price in prices]


def exported(version: PlanVersion) -> tablib.Dataset:
    dataset = PriceResource().export(PlanVersion.objects.filter(pk=version.pk))
    assert isinstance(dataset, tablib.Dataset)
    return dataset


def a_file(*rows: dict[str, str]) -> tablib.Dataset:
    headers = list(dict.fromkeys(name for row in rows for name in row))
    return tablib.Dataset(*([row.get(name, "") for name in headers] for row in rows), headers=headers)


BASE = {"plan": "new", "currency": "USD", "code": "base", "name": "Base", "model": "flat", "flat_amount": "5"}


def imported(*rows: dict[str, str], dry_run: bool = False) -> Any:
    return PriceResource().import_data(a_file(*rows), dry_run=dry_run)


def errors_in(result: Any) -> dict[int, list[str]]:
    return {line: [str(error.error) for error in errors] for line, errors in result.row_errors()}


# There and back


@pytest.mark.parametrize("file_format", FORMATS, ids=lambda one: one.__name__)
def test_what_goes_out_comes_back_equal(olga: Staff, draft: PlanVersion, file_format: Any) -> None:
    """Into a plan of its own, in each format, by the pages themselves."""
    index = FORMATS.index(file_format)
    response = olga.post(f"{EXPORT}?id__exact={draft.pk}", {"format": index, "resource": "0"})
    assert response.status_code == 200
    Plan.objects.update(code="former")
    send(olga, response.content, index, file_format().get_extension())
    copy = PlanVersion.objects.get(plan__code="pro")
    assert (copy.status, copy.number, copy.currency, copy.plan.name) == ("draft", 1, "USD", "Pro")
    assert rows_of(copy) == rows_of(draft)
    assert [price.position for price in copy.prices.all()] == list(range(11))


def send(person: Staff, content: bytes, index: int, extension: str) -> Any:
    """Upload, look, confirm."""
    upload = SimpleUploadedFile(f"prices.{extension}", content)
    looked = person.post(IMPORT, {"format": index, "resource": "0", "import_file": upload})
    assert looked.status_code == 200, looked.content
    confirm = looked.context.get("confirm_form")
    assert confirm is not None, looked.context["result"].row_errors()
    return person.post(PROCESS, {**confirm.initial})


def test_all_formats_are_on_offer() -> None:
    assert [one().get_title() for one in FORMATS] == ["csv", "xlsx", "json"]


def test_an_unchanged_file_changes_nothing(draft: PlanVersion) -> None:
    data = exported(draft)
    with nothing_changes_in("acme"):
        result = PriceResource().import_data(data)
    assert (result.has_errors(), result.totals["skip"]) == (False, 11)


def test_an_export_is_never_a_formula(draft: PlanVersion) -> None:
    cells = [cell for row in exported(draft) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert "'=Per unit" in cells


def test_numbers_of_a_spreadsheet_are_read_as_they_are_shown() -> None:
    assert [read_cell(value) for value in (0.0000025, 1e-07, 10, 1.5, 1e16, True, None, " x ")] == [
        "0.0000025", "0.0000001", "10", "1.5", "10000000000000000", "yes", "", "x",
    ]  # fmt: skip


# A look first


def test_the_look_says_what_would_change_and_changes_nothing(olga: Staff, draft: PlanVersion) -> None:
    data = exported(draft)
    rows = [dict(row) for row in data.dict]
    rows[0]["flat_amount"] = "59"
    rows[3]["tiers"] = "up to 1000.5: 0.02 per unit; beyond: 0.005 per unit"
    rows[5]["code"] = "package-2"
    del rows[10]
    content = a_file(*rows).export("csv").encode()
    upload = SimpleUploadedFile("prices.csv", content)
    olga.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        response = olga.post(IMPORT, {"format": 0, "resource": "0", "import_file": upload})
    result = response.context["result"]
    assert result.totals == {"new": 1, "update": 2, "delete": 2, "skip": 7, "error": 0, "invalid": 0}
    page_text = response.content.decode()
    for words in (
        "<del>USD 49.00</del> → <ins>USD 59.00</ins>",
        "<del>up to 1,000.5: USD 0.01 per token + USD 5.00 flat</del> → <ins>up to 1,000.5: USD 0.02 per token</ins>",
        "Not in the file: removed",
    ):
        assert words in page_text
    response = olga.post(PROCESS, {**response.context["confirm_form"].initial})
    assert told(response) == ["Imported into drafts: 1 new prices, 2 changed, 2 removed, 7 unchanged."]
    codes = list(draft.prices.values_list("code", flat=True))
    assert "package-2" in codes
    assert not {"package", "cost"} & set(codes)
    assert draft.prices.get(code="base").flat_amount == Decimal(59)
    assert AuditEntry.objects.filter(action="plan_version.changed", actor_kind="staff").count() == 1


CURRENCY = "<div>Currency: <del>USD</del> → <ins>EUR</ins></div>"
GENERAL = "<div>Price book: <del>General offer</del> → <ins>Europe (eu)</ins></div>"


def in_dollars() -> dict[str, str]:
    """The row of a draft with one price, 5 dollars a period."""
    assert not imported(BASE).has_errors()
    return BASE | {"version": "1"}


def test_a_change_of_currency_is_told_and_made(in_acme: Tenant) -> None:
    row = in_dollars() | {"currency": "EUR"}
    (told_of,) = imported(row, dry_run=True).rows
    for words in (CURRENCY, "<del>USD 5.00</del> → <ins>EUR 5.00</ins>"):
        assert words in told_of.diff[2]
    assert imported(row).totals["update"] == 1
    assert PlanVersion.objects.get().currency == "EUR"


def test_a_change_of_the_currency_alone_is_made(in_acme: Tenant) -> None:
    """A percentage reads the same in every currency."""
    make_meter("revenue")
    row = BASE | {"model": "percentage", "flat_amount": "", "meter": "revenue", "rate": "0.02"}
    assert not imported(row).has_errors()
    result = imported(row | {"version": "1", "currency": "EUR"})
    assert (result.totals["update"], result.totals["skip"]) == (1, 0)
    assert CURRENCY in result.rows[0].diff[2]
    assert PlanVersion.objects.get().currency == "EUR"


def test_a_change_of_the_book_alone_is_told_and_made(in_acme: Tenant) -> None:
    for code, region in (("eu", "EU"), ("eu-2", "FR")):
        PriceBook.objects.create(code=code, name="Europe", region=region, currency="USD")
    row = in_dollars() | {"price_book": "eu"}
    (told_of,) = imported(row, dry_run=True).rows
    assert GENERAL in told_of.diff[2]
    assert imported(row).totals["update"] == 1
    assert not imported(row | {"price_book": "eu-2"}).has_errors()
    assert PlanVersion.objects.filter(price_book__code="eu-2").count() == 1


def test_the_first_row_tells_what_changes_for_all(in_acme: Tenant) -> None:
    PriceBook.objects.create(code="eu", name="Europe", region="EU", currency="USD")
    row = in_dollars() | {"price_book": "eu"}
    first, second = imported(row | {"code": "setup"}, row, dry_run=True).rows
    assert (first.import_type, second.import_type) == ("new", "update")
    assert GENERAL in first.diff[2]
    assert "Fee: USD 5.00" in first.diff[2]
    assert "Price book" not in second.diff[2]


def test_a_new_plan_is_made_as_a_draft(in_acme: Tenant) -> None:
    assert not imported(BASE | {"plan_name": "New plan"}).has_errors()
    version = PlanVersion.objects.get(plan__code="new")
    assert (version.plan.name, version.number, version.status) == ("New plan", 1, "draft")


def test_without_a_number_a_new_version_is_drafted(draft: PlanVersion) -> None:
    assert not imported(BASE | {"plan": "pro", "version": ""}).has_errors()
    assert list(draft.plan.versions.values_list("number", "status")) == [(2, "draft"), (1, "draft")]
    assert draft.prices.count() == 11


def test_rows_of_two_books_are_two_versions(draft: PlanVersion) -> None:
    PriceBook.objects.create(code="eu", name="Europe", region="EU", currency="EUR")
    rows = [BASE | {"plan": "pro"}, BASE | {"plan": "pro", "price_book": "eu", "currency": "EUR"}]
    assert not imported(*rows).has_errors()
    assert list(draft.plan.versions.order_by("number").values_list("price_book__code", "currency")) == [
        (None, "USD"), (None, "USD"), ("eu", "EUR"),
    ]  # fmt: skip


@pytest.fixture
def european(draft: PlanVersion) -> PlanVersion:
    """A draft of version 2 in a price book."""
    book = PriceBook.objects.create(code="eu", name="Europe", region="EU", currency="EUR")
    return draft_version(plan=draft.plan, currency="EUR", prices=[flat("49")], price_book=book)


def test_a_file_without_books_leaves_a_draft_in_its_own(european: PlanVersion) -> None:
    row = {name: text for name, text in BASE.items() if name != "currency"} | {"plan": "pro", "version": "2"}
    assert not imported(row).has_errors()
    european.refresh_from_db()
    assert (str(european.price_book), european.currency) == ("Europe", "EUR")
    assert european.prices.get().flat_amount == Decimal(5)


def test_an_empty_book_means_the_general_offer(european: PlanVersion) -> None:
    assert not imported(BASE | {"plan": "pro", "version": "2", "price_book": ""}).has_errors()
    european.refresh_from_db()
    assert (european.price_book, european.currency) == (None, "USD")


# Refused


def test_a_published_version_is_refused_with_its_rows(in_acme: Tenant) -> None:
    version = make_plan("pro", [flat("49.00")])
    data = exported(version)
    with nothing_changes_in("acme"):
        result = PriceResource().import_data(data)
    ((text,),) = errors_in(result).values()
    assert text.startswith("Pro v1 is published and can't be changed")
    assert text.endswith("Leave the version empty to make one from these rows.")


WRONG: list[tuple[dict[str, str], str]] = [
    ({"model": "per_unit", "flat_amount": "", "unit_amount": "1"}, "meter: This price needs a meter"),
    (
        {"model": "per_unit", "flat_amount": "", "unit_amount": "1", "meter": "nope"},
        "meter: There is no meter 'nope'",
    ),
    ({"model": "nope"}, "model: Must be one of"),
    ({"flat_amount": "1,000"}, 'flat_amount: Must be a plain decimal such as "12"'),
    ({"flat_amount": "-1"}, "flat_amount: Must be at least 0"),
    ({"flat_amount": "NaN"}, "flat_amount: Must be a plain decimal"),
    ({"currency": ""}, "currency: fill this in"),
    ({"currency": "XXX"}, "currency: "),
    ({"code": ""}, "code: fill this in."),
    ({"code": "NO GOOD"}, "code: Use 1 to 63"),
    ({"plan": "NO GOOD"}, "plan: Use 1 to 63"),
    ({"name": "x" * 121}, "name: at most 120"),
    ({"price_book": "nope"}, "price_book: there is no price book 'nope'."),
    ({"billing_timing": "sometimes"}, "billing_timing: write arrears"),
    ({"negotiated": "yes"}, "negotiated: prices for one customer"),
    ({"version": "one"}, "version: write the number"),
    ({"commitment_true_up": "maybe", "commitment_amount": "1"}, "commitment_true_up: write yes or no"),
    ({"tiers": "cheap"}, "tiers: 'cheap' does not read like"),
    ({"tiers": "beyond: 1 per unit"}, "tiers: This field doesn't belong"),
    ({"filters": "model: gpt-5"}, "filters: write them like"),
    ({"filters": "model = "}, "filters: "),
]


@pytest.mark.parametrize(("fields", "text"), WRONG)
def test_what_is_wrong_is_said_at_its_row(in_acme: Tenant, fields: dict[str, str], text: str) -> None:
    good = BASE | {"plan": "good"}
    with nothing_changes_in("acme"):
        result = imported(good, BASE | fields)
    ((line, texts),) = errors_in(result).items()
    assert line == 2
    assert texts[0].startswith(text)


EMPTY, LONG = "A filter can't take the empty value", "A filter's values have at most 255 characters"


@pytest.mark.parametrize(
    ("values", "text"), [('""', EMPTY), ('a | ""', EMPTY), ('" "', EMPTY), ("x" * 256, LONG)]
)
def test_values_that_form_and_api_refuse_are_refused(draft: PlanVersion, values: str, text: str) -> None:
    """The service below all three says it, and points to the dimension."""
    row = BASE | {"model": "per_unit", "flat_amount": "", "unit_amount": "1", "meter": "tokens"}
    filters = f"model = {values}"
    assert errors_in(imported(row | {"filters": filters})) == {1: [f"filters/model: {text}"]}
    price = NewPrice("u", "U", "per_unit", "tokens", unit_amount="1", filters=read_filters(filters))
    found = problems_of(price, {"tokens": Meter.objects.get(code="tokens")}, "USD")
    assert [(problem.pointer, problem.message) for problem in found] == [("/filters/model", text)]


def test_the_longest_value_of_a_filter_is_taken(draft: PlanVersion) -> None:
    row = BASE | {"model": "per_unit", "flat_amount": "", "unit_amount": "1", "meter": "tokens"}
    assert not imported(row | {"filters": f"model = {'x' * 255}"}).has_errors()


def test_two_prices_of_one_code_are_refused(in_acme: Tenant) -> None:
    result = imported(BASE, BASE)
    assert errors_in(result) == {2: ["code: Two prices have the code 'base'"]}


def test_rows_of_one_version_agree(in_acme: Tenant) -> None:
    result = imported(BASE, BASE | {"code": "b", "currency": "EUR"})
    assert errors_in(result) == {2: ["currency: the rows of one plan version have to say the same."]}


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"plan,code\npro,x\n", b"plan,code,model,colour\npro,x,flat,red\n", b"\xff\xfe\x00"],
)
def test_other_files_are_refused(olga: Staff, draft: PlanVersion, data: bytes) -> None:
    upload = SimpleUploadedFile("prices.csv", data)
    olga.get("/admin/")  # signs in
    with nothing_changes_in("acme"):
        response = olga.post(IMPORT, {"format": 0, "resource": "0", "import_file": upload})
    assert response.status_code == 200
    assert response.context.get("confirm_form") is None


def test_published_between_the_look_and_the_import(olga: Staff, draft: PlanVersion) -> None:
    rows = [dict(row) for row in exported(draft).dict]
    rows[0]["flat_amount"] = "59"
    upload = SimpleUploadedFile("prices.csv", a_file(*rows).export("csv").encode())
    looked = olga.post(IMPORT, {"format": 0, "resource": "0", "import_file": upload})
    olga.post(page("catalog.planversion", "publish", draft.pk))
    response = olga.post(PROCESS, {**looked.context["confirm_form"].initial})
    assert told(response)[-1].startswith("Nothing was imported: Pro v1 is published")
    assert draft.prices.get(code="base").flat_amount == Decimal(49)


# Who may


def test_a_reader_exports_and_imports_nothing(reader: Staff, sam: Staff, draft: PlanVersion) -> None:
    for person in (reader, sam):
        assert person.get(IMPORT).status_code == 403
        assert person.post(PROCESS, {}).status_code == 403
        content = person.post(f"{EXPORT}?id__exact={draft.pk}", {"format": 2, "resource": "0"}).content
        assert len(json.loads(content)) == 11
    reader.user.groups.clear()
    assert reader.get(EXPORT).status_code == 403


def test_the_buttons(olga: Staff, reader: Staff, draft: PlanVersion) -> None:
    assert IMPORT in olga.get(page("catalog.planversion", "changelist")).content.decode()
    assert IMPORT not in reader.get(page("catalog.planversion", "changelist")).content.decode()
    response = olga.get(page("catalog.planversion", "export_version", draft.pk))
    assert response.headers["Location"] == f"{EXPORT}?id__exact={draft.pk}"


# The text of cells


def test_tiers_and_filters_read_as_people_write_them() -> None:
    assert read_tiers("Up to 10: 1 per unit+5 FLAT;beyond:0.5 per unit;") == [
        {"up_to": "10", "unit_amount": "1", "flat_amount": "5"},
        {"up_to": None, "unit_amount": "0.5"},
    ]
    assert read_filters('model=a|b ;region = eu west; "x;y" = "p|q"') == {
        "model": ["a", "b"],
        "region": ["eu west"],
        "x;y": ["p|q"],
    }
    assert len(COLUMNS) == len(set(COLUMNS))


def test_a_negotiated_draft_stays_negotiated(draft: PlanVersion) -> None:
    special = draft_version(plan=draft.plan, currency="USD", prices=[flat("1")], is_negotiated=True)
    row = BASE | {"plan": "pro", "version": "2", "negotiated": "yes"}
    assert not imported(row).has_errors()
    special.refresh_from_db()
    assert (special.is_negotiated, special.prices.get().flat_amount) == (True, Decimal(5))
    result = imported(row | {"negotiated": ""})
    assert errors_in(result) == {1: ["negotiated: a version stays what it was made as."]}
