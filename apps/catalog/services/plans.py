"""Make plans and draft their versions."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max

from apps.audit.services.record import record
from apps.catalog.definitions import price_from_document
from apps.catalog.models import Meter, Plan, PlanVersion, Price, PriceBook, PriceFilter, PriceTier, Product
from apps.catalog.services.new_price import NewPrice, problems_of
from apps.catalog.terms import check_add_on_terms, check_terms, terms_of
from apps.core.errors import Invalid, Refused
from apps.rating import Problem

__all__ = [
    "NewPrice", "add_forgetter", "create_plan", "delete_draft", "draft_version", "errors_of", "out_of_reach",
    "problems_of", "reach", "refuse", "replace_prices", "update_plan",
]  # fmt: skip


@transaction.atomic
def create_plan(
    *,
    code: str,
    name: str,
    currency: str,
    prices: Sequence[NewPrice],
    description: str = "",
    product: Product | None = None,
    price_book: PriceBook | None = None,
    kind: str = Plan.Kind.PLAN,
    **terms: Any,
) -> PlanVersion:
    """Create a plan or an add-on with version 1 as a draft.

    Raises `Refused` plan_exists, and what `draft_version` raises.
    """
    plan, created = Plan.objects.get_or_create(
        code=code, defaults={"name": name, "description": description, "product": product, "kind": kind}
    )
    if not created:
        raise Refused("plan_exists", f"There is a plan {code!r} already.", param="/code")
    record(action="plan.created", target=plan, changes={"kind": str(kind)} if plan.is_add_on else {})
    return draft_version(plan=plan, currency=currency, prices=prices, price_book=price_book, **terms)


@transaction.atomic
def update_plan(*, plan: Plan, **fields: Any) -> Plan:
    """Change a plan's name, description or product. Its prices are its versions' business."""
    assert fields.keys() <= {"name", "description", "product"}
    plan = Plan.objects.select_for_update().get(pk=plan.pk)
    changes = {
        name: [str(getattr(plan, name) or ""), str(value or "")]
        for name, value in fields.items()
        if getattr(plan, name) != value
    }
    if changes:
        for name, value in fields.items():
            setattr(plan, name, value)
        plan.save(update_fields=list(fields))
        record(action="plan.changed", target=plan, changes=changes)
    return plan


@transaction.atomic
def draft_version(
    *,
    plan: Plan,
    currency: str,
    prices: Sequence[NewPrice],
    price_book: PriceBook | None = None,
    is_negotiated: bool = False,
    **terms: Any,
) -> PlanVersion:
    """Add the next version as a draft with its prices, in their order. `terms` are fields of `TERMS`.

    Raises `Invalid` with a pointer into `prices` for each problem: what `parse_price` refuses, unknown_meter,
    unknown_dimension, duplicate_price, field_not_allowed; and with a book currency_mismatch, field_not_allowed.
    """
    check_book(price_book, currency, is_negotiated)
    check_terms(terms)
    if plan.is_add_on:
        check_add_on_terms(terms)
    Plan.objects.select_for_update().get(pk=plan.pk)
    latest = plan.versions.aggregate(number=Max("number"))["number"] or 0
    version = PlanVersion.objects.create(
        plan=plan,
        number=latest + 1,
        currency=currency,
        price_book=price_book,
        is_negotiated=is_negotiated,
        **terms,
    )
    add_prices(version=version, prices=prices)
    return version


@transaction.atomic
def replace_prices(
    *,
    version: PlanVersion,
    currency: str,
    prices: Sequence[NewPrice],
    price_book: PriceBook | None = None,
    **terms: Any,
) -> None:
    """Write a draft anew; terms that are not named stay.

    Raises `Refused` not_a_draft and what `draft_version` raises; then nothing has changed.
    """
    version = locked_draft(version)
    check_book(price_book, currency, version.is_negotiated)
    remove_prices(version)
    version.currency = currency
    version.price_book = price_book
    for name, value in terms.items():
        setattr(version, name, value)
    check_terms(terms_of(version))
    if version.plan.is_add_on:
        check_add_on_terms(terms_of(version))
    version.save(update_fields=["currency", "price_book", *terms])
    add_prices(version=version, prices=prices)
    record(action="plan_version.changed", target=version)


# What apps above the catalog note about a draft; they put in here what removes it.
Forgetter = Callable[[PlanVersion], None]
_forgetters: list[Forgetter] = []


def add_forgetter(forgetter: Forgetter) -> None:
    _forgetters.append(forgetter)


@transaction.atomic
def delete_draft(*, version: PlanVersion) -> None:
    """Throw a draft away, with what other apps note about it. Raises `Refused` not_a_draft."""
    version = locked_draft(version)
    record(action="plan_version.deleted", target=version)
    for forget in _forgetters:
        forget(version)
    remove_prices(version)
    version.delete()


def check_book(price_book: PriceBook | None, currency: str, is_negotiated: bool) -> None:
    if price_book is None:
        return
    if is_negotiated:
        raise Invalid(
            "field_not_allowed",
            "A negotiated version is for one customer and stands in no book.",
            param="/price_book",
        )
    if price_book.currency != currency:
        raise Invalid(
            "currency_mismatch",
            f"The price book {price_book} is in {price_book.currency}.",
            param="/currency",
        )


def locked_draft(version: PlanVersion) -> PlanVersion:
    version = PlanVersion.objects.select_for_update(of=("self",)).select_related("plan").get(pk=version.pk)
    if not version.is_draft:
        raise Refused(
            "not_a_draft", f"{version} is {version.status} and can't be changed; draft a new version."
        )
    return version


def remove_prices(version: PlanVersion) -> None:
    PriceTier.objects.filter(price__plan_version=version).delete()
    PriceFilter.objects.filter(price__plan_version=version).delete()
    version.prices.all().delete()


def add_prices(*, version: PlanVersion, prices: Sequence[NewPrice]) -> None:
    """Check all prices, then write all of them: prices, tiers, filters in one statement each."""
    meters = {meter.code: meter for meter in Meter.objects.filter(archived_at__isnull=True)}
    problems: list[Problem] = []
    codes: set[str] = set()
    for index, price in enumerate(prices):
        found = list(problems_of(price, meters, version.currency))
        if price.code in codes:
            found.append(Problem("duplicate_price", "/code", f"Two prices have the code {price.code!r}"))
        codes.add(price.code)
        problems += [problem.below(f"/prices/{index}") for problem in found]
    problems += out_of_reach([reach(price.meter, price.filters) for price in prices])
    refuse(problems)
    rows: list[Price] = []
    tiers: list[PriceTier] = []
    filters: list[PriceFilter] = []
    for index, price in enumerate(prices):
        columns, bounds = price_from_document(price.document())
        rows.append(
            Price(
                plan_version=version,
                position=index,
                code=price.code,
                name=price.name,
                meter=meters.get(price.meter),
                billing_timing=price.billing_timing,
                unit_amount_property=price.unit_amount_property,
                is_per_seat=price.is_per_seat,
                **columns,
            )
        )
        tiers += [PriceTier(price=rows[-1], **bound) for bound in bounds]
        filters += [
            PriceFilter(price=rows[-1], dimension=name, values=list(values))
            for name, values in price.filters.items()
        ]
    Price.objects.bulk_create(rows)
    PriceTier.objects.bulk_create(tiers)
    PriceFilter.objects.bulk_create(filters)


def reach(meter: Hashable, filters: Mapping[str, Iterable[str]]) -> Hashable:
    """What usage a price matches; None for a fee, which matches none."""
    return (
        (meter, frozenset((name, frozenset(values)) for name, values in filters.items())) if meter else None
    )


def out_of_reach(reaches: Sequence[Hashable]) -> list[Problem]:
    """Of two prices that match the same usage the second would never take any: a slip, and refused."""
    return [
        Problem("duplicate_price", f"/prices/{index}/meter", "A price before it takes the same usage")
        for index, one in enumerate(reaches)
        if one is not None and one in reaches[:index]
    ]


def refuse(problems: Sequence[Problem]) -> None:
    """Raise all problems as one `Invalid`; nothing when there are none."""
    if problems:
        first = problems[0]
        raise Invalid(
            first.code,
            f"{first.pointer}: {first.message}.",
            param=first.pointer,
            errors=errors_of(problems),
        )


def errors_of(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """As `Refused` takes them."""
    return [{"param": one.pointer, "code": one.code, "message": one.message} for one in problems]
