"""Rows of a file become a draft: read, checked and written by the catalog's services, one plan version at a time."""

from dataclasses import dataclass, field

from django.core.exceptions import ValidationError

from apps.audit.services.record import record
from apps.catalog.admin.columns import NEEDED, UnreadableRow, new_price, read_terms
from apps.catalog.models import Plan, PlanVersion, Price, PriceBook
from apps.catalog.models.plan import TERMS
from apps.catalog.services import plans
from apps.catalog.services.plans import NewPrice
from apps.core.errors import Refused
from apps.core.validators import code_validator, validate_currency

# What the rows of one version have to agree on.
SHARED = ("plan_name", "currency", "price_book", "negotiated", *TERMS)


@dataclass
class Group:
    """The rows of one version, with their numbers in the file."""

    plan: str
    version: str
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def shared(self, name: str) -> str:
        return self.rows[0][1].get(name, "")


@dataclass(frozen=True, slots=True)
class Former:
    """What a version was before the import; nothing of a new one. Prices stand by their codes."""

    currency: str = ""
    terms: dict[str, str] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)


class RowError(Exception):
    """What is wrong with a group, by the number of the row."""

    def __init__(self, by_row: dict[int, list[str]]) -> None:
        super().__init__(by_row)
        self.by_row = by_row


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


def write(group: Group) -> tuple[PlanVersion, Former, list[Price]]:
    """Make or replace the draft. Returns it, what it was, and the prices that are gone. Raises `RowError`."""
    check_shared(group)
    prices = read_prices(group)
    try:
        terms = read_terms(group.rows[0][1])
    except UnreadableRow as error:
        raise RowError({group.rows[0][0]: [str(error)]}) from error
    plan = Plan.objects.filter(code=group.plan).first()
    version = find_version(plan, group)
    former = Former(version.currency, terms_of(version), by_code(version)) if version else Former()
    book = book_of(group, version)
    currency = group.shared("currency").upper() or (
        book.currency if book else version.currency if version else ""
    )
    check_currency(group, currency)
    check_negotiated(group, version)
    try:
        if version is not None:
            plans.replace_prices(version=version, currency=currency, prices=prices, price_book=book, **terms)
            version.refresh_from_db()
        elif plan is not None:
            version = plans.draft_version(
                plan=plan, currency=currency, prices=prices, price_book=book, **terms
            )
            record(action="plan_version.drafted", target=version, changes={"imported": len(prices)})
        else:
            name = group.shared("plan_name") or group.plan
            version = plans.create_plan(
                code=group.plan, name=name, currency=currency, prices=prices, price_book=book, **terms
            )
    except Refused as refused:
        raise RowError(by_rows(group, refused)) from refused
    codes = {price.code for price in prices}
    return version, former, [price for code, price in former.prices.items() if code not in codes]


def find_version(plan: Plan | None, group: Group) -> PlanVersion | None:
    if plan is None or not group.version:
        return None
    return plan.versions.select_related("price_book").filter(number=int(group.version)).first()


TERM_NAMES = {
    one.name: str(getattr(one, "verbose_name", one.name)).capitalize()
    for one in PlanVersion._meta.get_fields()
    if one.name in TERMS
}


def terms_of(version: PlanVersion) -> dict[str, str]:
    """What all prices of a version share. Two books may have one name, so the code stands beside it."""
    book = version.price_book
    return {
        "Currency": version.currency,
        "Price book": f"{book} ({book.code})" if book else "General offer",
        **{name: str(getattr(version, one) or "") for one, name in TERM_NAMES.items()},
    }


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


def book_of(group: Group, version: PlanVersion | None) -> PriceBook | None:
    """A file that says nothing of books leaves a draft in its own; an empty cell means the general offer."""
    if version is not None and "price_book" not in group.rows[0][1]:
        return version.price_book
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
