"""What a price, or a whole plan, would cost: the arithmetic of the bill without anything being stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

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
    minor_units,
    parse_already_billed,
    parse_price,
    parse_usage,
    rate,
    rate_delta,
)

USAGE_FIELDS = ("quantity", "event_count", "events")


def preview_price(*, currency: str, price: Any, given: Mapping[str, Any]) -> Charge:
    """Rate a definition. `given` holds quantity, event_count, events and already_billed, all optional but quantity.

    Raises `Invalid` with every problem, pointers into the request.
    """
    problems: list[Problem] = []

    def attempt(parse: Any, prefix: str) -> Any:
        try:
            return parse()
        except RatingError as error:
            problems.extend(problem.below(prefix) for problem in error.problems)
            return None

    attempt(lambda: minor_units(currency), "/currency")
    definition = attempt(lambda: parse_price(price, currency=currency), "/price")
    usage_data = {name: given[name] for name in USAGE_FIELDS if given.get(name) is not None}
    if "quantity" not in usage_data and isinstance(price, Mapping) and price.get("model") == "flat":
        usage_data["quantity"] = "0"
    usage = attempt(lambda: parse_usage(usage_data), "")
    billed_data = given.get("already_billed")
    billed = (
        attempt(lambda: parse_already_billed(billed_data), "/already_billed")
        if billed_data is not None
        else None
    )
    refuse(problems)
    charge = attempt(
        lambda: (
            rate(definition, usage, currency=currency)
            if billed is None
            else rate_delta(definition, usage, billed, currency=currency)
        ),
        "",
    )
    refuse(problems)
    assert isinstance(charge, Charge)
    return charge


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """The charges of a version's prices, in their order; `amount` is their sum."""

    version: PlanVersion
    charges: list[tuple[Price, Charge]]

    @property
    def amount(self) -> Decimal:
        return sum((charge.amount for _, charge in self.charges), Decimal(0))


def preview_plan(*, version: PlanVersion, quantities: Mapping[str, Any]) -> PlanPreview:
    """Rate all prices of a version. `quantities` are decimal strings by a price's code, or by a meter's.

    A meter's quantity goes to the price that takes usage without dimension values. Raises `Invalid` with a
    pointer into `quantities`.
    """
    prices = list(
        version.prices.select_related("meter", "plan_version")
        .prefetch_related("tiers", "filters")
        .order_by("position")
    )
    usage = {name: usage_from(name, text) for name, text in quantities.items()}
    by_price: dict[int, Usage] = {}
    for name, used in usage.items():
        taker = next((price for price in prices if price.code == name and price.is_metered), None)
        of_meter = [price for price in prices if price.meter is not None and price.meter.code == name]
        taker = taker or taker_for(takers_of(of_meter), {})
        if taker is None:
            known = sorted({price.code for price in prices if price.is_metered})
            raise Invalid(
                "unknown_meter",
                f"{version} has no price {name!r} and no default price of a meter {name!r}; it has {', '.join(known)}.",
                param=f"/quantities/{name}",
            )
        by_price[taker.pk] = used
    nothing = Usage(Decimal(0))
    charges = [(price, charge_of(price, by_price.get(price.pk, nothing))) for price in prices]
    return PlanPreview(version, charges)


def usage_from(name: str, text: Any) -> Usage:
    try:
        return parse_usage({"quantity": text})
    except RatingError as error:
        first = error.problems[0]
        raise Invalid(first.code, first.message, param=f"/quantities/{name}") from error


def charge_of(price: Price, used: Usage) -> Charge:
    try:
        unit = price.meter.unit if price.meter else ""
        return rate(definition_of(price), used, currency=price.plan_version.currency, unit=unit)
    except RatingError as error:
        # A dynamic price, or one with free events, can't be previewed from a total alone.
        message = f"{price.name}: {error.message}; preview this price by itself, with its events."
        raise Invalid(error.code, message, param="/quantities") from error
