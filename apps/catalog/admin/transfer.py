"""Plans and prices in and out as CSV, XLSX or JSON, one row a price. An import shows first what it would do.

It makes and replaces drafts, through the catalog's services: a file's rows of one plan and version are that version,
so a price that is not among them is removed. What is published is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from import_export import fields, resources
from import_export.formats import base_formats
from import_export.results import RowResult
from import_export.widgets import CharWidget

from apps.audit.services.record import record
from apps.catalog.admin.columns import (
    COLUMNS,
    NEEDED,
    UnreadableRow,
    definition_row,
    new_price,
    read_cell,
    row_of,
    safe,
)
from apps.catalog.admin.diff import changes_between
from apps.catalog.admin.wording import facts_of
from apps.catalog.models import Plan, PlanVersion, Price, PriceBook
from apps.catalog.services import plans
from apps.catalog.services.plans import NewPrice
from apps.core.errors import Refused
from apps.core.validators import code_validator, validate_currency

FORMATS = [
    format_class
    for format_class in (base_formats.CSV, base_formats.XLSX, base_formats.JSON)
    if format_class.is_available()
]
ROWS_AT_MOST = 5_000
HEADERS = ["Plan version", "Price", "What changes"]
# What the rows of one version have to agree on.
SHARED = ("plan_name", "currency", "price_book", "negotiated")


@dataclass
class Outcome:
    """What becomes of one row."""

    kind: str = RowResult.IMPORT_TYPE_SKIP
    version: str = ""
    price: str = ""
    changes: str = ""
    errors: list[str] = field(default_factory=list)


@dataclass
class Group:
    """The rows of one version, with their numbers in the file."""

    plan: str
    version: str
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def shared(self, name: str) -> str:
        return self.rows[0][1].get(name, "")


class Stored(Exception):
    pass


class RowError(Exception):
    """What is wrong with a group, by the number of the row."""

    def __init__(self, by_row: dict[int, list[str]]) -> None:
        super().__init__(by_row)
        self.by_row = by_row


class PriceResource(resources.Resource):
    class Meta:
        import_id_fields = NEEDED
        export_order = COLUMNS
        use_transactions = True
        report_skipped = True
        name = "Plans and prices"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields = {name: fields.Field(column_name=name, widget=CharWidget()) for name in COLUMNS}
        self.outcomes: list[Outcome] = []

    # Export

    def export(self, queryset: QuerySet[PlanVersion] | None = None, **kwargs: Any) -> Any:
        """`queryset` are plan versions; a row for each of their prices."""
        versions = PlanVersion.objects.all() if queryset is None else queryset
        prices = (
            Price.objects.filter(plan_version__in=versions.order_by().values("pk"))
            .select_related("meter", "plan_version__plan", "plan_version__price_book")
            .prefetch_related("tiers", "filters")
            .order_by("plan_version__plan__code", "plan_version__number", "position", "id")
        )
        return super().export(queryset=prices, **kwargs)

    def export_resource(self, instance: Price, selected_fields: Any = None, **kwargs: Any) -> list[str]:
        row = row_of(instance, instance.plan_version)
        return [safe(row[column.column_name]) for column in self.get_export_fields(selected_fields)]

    # Import

    def get_diff_headers(self) -> list[str]:
        return HEADERS

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """Do everything, version by version: a row alone says nothing. `import_row` tells what came of it."""
        if len(dataset) > ROWS_AT_MOST:
            raise ValueError(f"At most {ROWS_AT_MOST:,} rows at once.")
        missing = [name for name in NEEDED if name not in (dataset.headers or [])]
        if missing:
            raise ValueError(f"The file lacks the columns {', '.join(missing)}.")
        unknown = [name for name in dataset.headers if name not in COLUMNS]
        if unknown:
            raise ValueError(f"The file has unknown columns: {', '.join(map(str, unknown))}.")
        rows = [dict(zip(dataset.headers, map(read_cell, values), strict=True)) for values in dataset]
        self.outcomes = [Outcome() for _ in rows]
        for group in grouped(rows):
            self.take(group, dataset)

    def take(self, group: Group, dataset: Any) -> None:
        """One version; what is wrong with it undoes it alone, and then the whole import."""
        try:
            with transaction.atomic():
                version, before, removed = write(group)
                is_changed = self.tell(group, version, before, removed, dataset)
                if not is_changed:
                    raise Stored
        except Stored:
            pass
        except RowError as error:
            for number, texts in error.by_row.items():
                self.outcomes[number].errors += texts

    def tell(
        self, group: Group, version: PlanVersion, before: dict[str, Price], removed: list[Price], dataset: Any
    ) -> bool:
        """Note what became of each row. A price that is gone gets a row of its own, for the preview."""
        after = by_code(version)
        is_changed = bool(removed) or not before
        for number, row in group.rows:
            price, old = after[row["code"]], before.get(row["code"])
            outcome = self.outcomes[number]
            outcome.version, outcome.price = str(version), price.name
            if old is None:
                outcome.kind = RowResult.IMPORT_TYPE_NEW
                outcome.changes = listed(facts_of(price, version.currency).items())
            elif changed := changes_of(old, price, version):
                outcome.kind, outcome.changes = RowResult.IMPORT_TYPE_UPDATE, changed
            is_changed = is_changed or outcome.kind != RowResult.IMPORT_TYPE_SKIP
        for price in removed:
            dataset.append(
                [{"plan": group.plan, "code": price.code}.get(name, "") for name in dataset.headers]
            )
            self.outcomes.append(
                Outcome(
                    RowResult.IMPORT_TYPE_DELETE,
                    str(version),
                    price.name,
                    SafeString("Not in the file: removed"),
                )
            )
        return is_changed

    def import_row(self, row: Any, instance_loader: Any, **kwargs: Any) -> RowResult:
        result = self.get_row_result_class()()
        outcome = self.outcomes[kwargs["row_number"] - 1]
        result.import_type = RowResult.IMPORT_TYPE_ERROR if outcome.errors else outcome.kind
        result.diff = [outcome.version, outcome.price, outcome.changes]
        result.errors = [
            self.get_error_result_class()(ValueError(text), row=row, number=kwargs["row_number"])
            for text in outcome.errors
        ]
        return result


def grouped(rows: list[dict[str, str]]) -> list[Group]:
    found: dict[tuple[str, str, str], Group] = {}
    for number, row in enumerate(rows):
        # Without a number, rows of one book are one new version.
        key = (
            row.get("plan", ""),
            row.get("version", ""),
            "" if row.get("version") else row.get("price_book", ""),
        )
        found.setdefault(key, Group(key[0], key[1])).rows.append((number, row))
    return list(found.values())


def write(group: Group) -> tuple[PlanVersion, dict[str, Price], list[Price]]:
    """Make or replace the draft. Returns it, its former prices by code, and those that are gone. Raises `RowError`."""
    check_shared(group)
    prices = read_prices(group)
    plan = Plan.objects.filter(code=group.plan).first()
    version = plan.versions.filter(number=int(group.version)).first() if plan and group.version else None
    before = by_code(version) if version else {}
    book = book_of(group)
    currency = group.shared("currency").upper() or (
        book.currency if book else version.currency if version else ""
    )
    check_currency(group, currency)
    check_negotiated(group, version)
    try:
        if version is not None:
            plans.replace_prices(version=version, currency=currency, prices=prices, price_book=book)
            version.refresh_from_db()
        elif plan is not None:
            version = plans.draft_version(plan=plan, currency=currency, prices=prices, price_book=book)
            record(action="plan_version.drafted", target=version, changes={"imported": len(prices)})
        else:
            name = group.shared("plan_name") or group.plan
            version = plans.create_plan(
                code=group.plan, name=name, currency=currency, prices=prices, price_book=book
            )
    except Refused as refused:
        raise RowError(by_rows(group, refused)) from refused
    codes = {price.code for price in prices}
    return version, before, [price for code, price in before.items() if code not in codes]


def check_shared(group: Group) -> None:
    wrong: dict[int, list[str]] = {}
    first = group.rows[0][1]
    for number, row in group.rows:
        texts = [
            f"{name}: the rows of one plan version have to say the same."
            for name in SHARED
            if row.get(name, "") != first.get(name, "")
        ]
        texts += [f"{name}: fill this in." for name in NEEDED if not row.get(name)]
        texts += code_problems(row)
        if group.version and not (group.version.isdecimal() and len(group.version) < 9):
            texts.append("version: write the number of a draft, or leave it empty for a new one.")
        if texts:
            wrong[number] = texts
    if wrong:
        raise RowError(wrong)


def code_problems(row: dict[str, str]) -> list[str]:
    problems = []
    for name in ("plan", "code"):
        try:
            code_validator(row.get(name) or "x")
        except ValidationError as error:
            problems.append(f"{name}: {error.message}")
    problems += [
        f"{name}: at most 120 characters." for name in ("name", "plan_name") if len(row.get(name, "")) > 120
    ]
    if len(row.get("unit_amount_property", "")) > 127:
        problems.append("unit_amount_property: at most 127 characters.")
    if (row.get("billing_timing") or Price.Timing.ARREARS) not in Price.Timing.values:
        problems.append(f"billing_timing: write {', '.join(Price.Timing.values)}.")
    return problems


def check_currency(group: Group, currency: str) -> None:
    try:
        validate_currency(currency)
    except ValidationError as error:
        text = f"currency: {error.message}" if currency else "currency: fill this in, like USD."
        raise RowError({group.rows[0][0]: [text]}) from error


def check_negotiated(group: Group, version: PlanVersion | None) -> None:
    is_wanted = bool(group.shared("negotiated")) and group.shared("negotiated") != "no"
    if version is not None and "negotiated" in group.rows[0][1] and is_wanted != version.is_negotiated:
        raise RowError({group.rows[0][0]: ["negotiated: a version stays what it was made as."]})
    if version is None and is_wanted:
        text = "negotiated: prices for one customer are begun on the page of the version they start from."
        raise RowError({group.rows[0][0]: [text]})


def read_prices(group: Group) -> list[NewPrice]:
    prices: list[NewPrice] = []
    wrong: dict[int, list[str]] = {}
    for number, row in group.rows:
        try:
            prices.append(new_price(row))
        except UnreadableRow as error:
            wrong[number] = [str(error)]
    if wrong:
        raise RowError(wrong)
    return prices


def book_of(group: Group) -> PriceBook | None:
    code = group.shared("price_book")
    book = PriceBook.objects.filter(code=code).first() if code else None
    if code and book is None:
        raise RowError({group.rows[0][0]: [f"price_book: there is no price book {code!r}."]})
    return book


def by_rows(group: Group, refused: Refused) -> dict[int, list[str]]:
    """A service's problems, at the rows they are about."""
    if not refused.errors:
        if refused.code == "not_a_draft":
            text = f"{refused.message} Leave the version empty to make one from these rows."
            return {number: [text] for number, _ in group.rows}
        return {group.rows[0][0]: [refused.message]}
    found: dict[int, list[str]] = {}
    for problem in refused.errors:
        _, _, index, *rest = [*problem["param"].split("/"), "", ""]
        number = group.rows[int(index)][0] if index.isdecimal() else group.rows[0][0]
        place = "/".join(part for part in rest if part)
        found.setdefault(number, []).append(f"{place}: {problem['message']}" if place else problem["message"])
    return found


def by_code(version: PlanVersion) -> dict[str, Price]:
    prices = version.prices.select_related("meter").prefetch_related("tiers", "filters")
    return {price.code: price for price in prices}


def changes_of(old: Price, new: Price, version: PlanVersion) -> SafeString:
    """In words; empty when the two say the same."""
    facts = facts_of(old, version.currency), facts_of(new, version.currency)
    if old.position != new.position:
        facts[0]["Order"], facts[1]["Order"] = str(old.position + 1), str(new.position + 1)
    changed = changes_between(*facts)
    if not changed and definition_row(old) == definition_row(new):
        return SafeString("")
    rows = format_html_join(
        "", "<div>{}: <del>{}</del> → <ins>{}</ins></div>", ((one.name, one.old, one.new) for one in changed)
    )
    return format_html('<div class="ch-import">{}</div>', rows)


def listed(facts: Iterable[tuple[str, str]]) -> SafeString:
    return format_html('<div class="ch-import">{}</div>', format_html_join("", "<div>{}: {}</div>", facts))
