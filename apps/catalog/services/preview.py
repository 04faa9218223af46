"""What a price, or a whole plan, would cost: the arithmetic of the bill without anything being stored."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from apps.catalog.assign import taker_for, takers_of
from apps.catalog.definitions import definition_of
from apps.catalog.models import PlanVersion, Price
from apps.catalog.services.plans import refuse
from apps.core.errors import Invalid
from apps.rating import (
    Charge,
    Problem,
    RatingError,
    Usage,
    exact_sum,
    minor_units,
    parse_already_billed,
    parse_price,
    parse_usage,
    rate,
    rate_delta,
)

T = TypeVar("T")

USAGE_FIELDS = ("quantity", "event_count", "events")


def refuse_others(given: Mapping[str, Any], *, allowed: Collection[str]) -> None:
    """A preview is of a price or of a plan: a field of the other one would be ignored, and is refused instead."""
    message = (
        f"Send either price with its usage or plan with quantities; here only {', '.join(sorted(allowed))}"
    )
    refuse([Problem("conflicting_fields", f"/{name}", message) for name in given if name not in allowed])


def preview_price(given: Mapping[str, Any]) -> Charge:
    """Rate a definition. `given` holds currency, price, quantity, and perhaps event_count, events, already_billed.

    Raises `Invalid` with every problem, pointers into the request.
    """
    problems: list[Problem] = []

    def attempt(parse: Callable[[], T], prefix: str) -> T | None:
        try:
            return parse()
        except RatingError as error:
            problems.extend(problem.below(prefix) for problem in error.problems)
            return None

    currency, price, billed_data = given.get("currency"), given.get("price"), given.get("already_billed")
    if currency is None:
        problems.append(Problem("missing_field", "/currency", "This field is required"))
    elif not isinstance(currency, str):
        problems.append(Problem("invalid_type", "/currency", "Must be a string"))
    else:
        attempt(lambda: minor_units(currency), "/currency")
    expected = currency if isinstance(currency, str) else None
    definition = attempt(lambda: parse_price(price, currency=expected), "/price")
    usage_data = {name: given[name] for name in USAGE_FIELDS if given.get(name) is not None}
    if "quantity" not in usage_data and isinstance(price, Mapping) and price.get("model") == "flat":
        usage_data["quantity"] = "0"
    usage = attempt(lambda: parse_usage(usage_data), "")
    billed = (
        None if billed_data is None else attempt(lambda: parse_already_billed(billed_data), "/already_billed")
    )
    refuse(problems)
    assert definition is not None
    assert usage is not None
    assert isinstance(currency, str)
    try:
        if billed is None:
            return rate(definition, usage, currency=currency)
        return rate_delta(definition, usage, billed, currency=currency)
    except RatingError as error:
        # Of what was billed only the amount can be wrong by now; everything else is about the usage.
        refuse(
            [
                problem.below("/already_billed") if problem.pointer == "/amount" else problem
                for problem in error.problems
            ]
        )
        raise


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """The charges of a version's prices, in their order; `amount` is their sum."""

    version: PlanVersion
    charges: list[tuple[Price, Charge]]

    @property
    def amount(self) -> Decimal:
        return exact_sum(charge.amount for _, charge in self.charges)


def preview_plan(*, version: PlanVersion, quantities: Any) -> PlanPreview:
    """Rate all prices of a version. `quantities` are decimal strings by a price's code, or by a meter's.

    Where a price counts events too, write {"quantity": "1000", "event_count": 12} instead. A meter's quantity
    goes to the price that takes usage without dimension values. Raises `Invalid` with every problem, pointers
    into `quantities`.
    """
    if quantities is None:
        quantities = {}
    if not isinstance(quantities, Mapping):
        raise Invalid(
            "invalid_type", "quantities is an object: a quantity by meter or price.", param="/quantities"
        )
    prices = list(
        version.prices.select_related("meter", "plan_version")
        .prefetch_related("tiers", "filters")
        .order_by("position", "id")
    )
    problems: list[Problem] = []
    by_price: dict[int, Usage] = {}
    for name, quantity in quantities.items():
        pointer = f"/quantities/{escaped(name)}"
        taker = price_named(prices, name)
        if taker is None:
            message = f"{version} has no metered price {name!r} and no default price of a meter {name!r}"
            problems.append(Problem("unknown_meter", pointer, message))
        elif taker.pk in by_price:
            message = f"The price {taker.code!r} has a quantity already"
            problems.append(Problem("conflicting_fields", pointer, message))
        try:
            used = parse_usage(quantity if isinstance(quantity, Mapping) else {"quantity": quantity})
        except RatingError as error:
            problems += [replace(problem, pointer=pointer) for problem in error.problems]
        else:
            if taker is None:
                continue
            by_price[taker.pk] = used
            if taker.fixed_amount and used.quantity and not used.event_count:
                message = 'The price has an amount for each event: write {"quantity": …, "event_count": …}'
                problems.append(Problem("events_required", pointer, message))
    refuse(problems)
    nothing = Usage(Decimal(0))
    charges = [(price, charge_of(price, by_price.get(price.pk, nothing))) for price in prices]
    return PlanPreview(version, charges)


def price_named(prices: list[Price], name: str) -> Price | None:
    """The metered price with this code, else the one that takes a meter's usage without dimension values."""
    by_code = next((price for price in prices if price.code == name and price.is_metered), None)
    of_meter = [price for price in prices if price.meter is not None and price.meter.code == name]
    return by_code or taker_for(takers_of(of_meter), {})


def escaped(name: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def charge_of(price: Price, used: Usage) -> Charge:
    try:
        unit = price.meter.unit if price.meter else ""
        return rate(definition_of(price), used, currency=price.plan_version.currency, unit=unit)
    except RatingError as error:
        # A dynamic price, or one with free events, can't be previewed from a total alone.
        message = f"{price.name}: {error.message}; preview this price by itself, with its events."
        raise Invalid(error.code, message, param="/quantities") from error
