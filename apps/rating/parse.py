"""Definitions and usage from decoded JSON. All problems are collected; none is repaired."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from decimal import localcontext
from typing import Any, TypeVar

from apps.rating.charge import Usage
from apps.rating.decode import UnreadableError, decode_fields, decode_object, placeholders
from apps.rating.delta import AlreadyBilled
from apps.rating.errors import DefinitionError, Problem, UsageError
from apps.rating.exact import EXACT, ZERO
from apps.rating.prices import MODELS, Price
from apps.rating.prices.tiers import Bound, TieredPrice, tier_problems

_ALL_FIELDS = frozenset(field.name for price in MODELS.values() for field in fields(price))

T = TypeVar("T")


def parse_price(data: object, *, currency: str | None = None) -> Price:
    """Build a price definition from a decoded JSON object.

    `model` chooses the class; every other key must be a field of that class. With `currency`, a price that
    names another one is refused. Raises DefinitionError with all problems, pointers relative to the price
    object.
    """
    cls = _class_of(data)
    assert isinstance(data, Mapping)
    given = {name: raw for name, raw in data.items() if name != "model"}
    values, problems = decode_fields(cls, given, "", _ALL_FIELDS)
    if problems and issubclass(cls, TieredPrice) and "tiers" not in values:
        problems.extend(_order_problems(given.get("tiers")))
        values["tiers"] = (Bound(up_to=None),)
    price = _construct(cls, values, problems)
    if currency is not None and values.get("currency", currency) != currency:
        problems.append(Problem("mixed_currencies", "/currency", f"Must be {currency} here"))
    if problems or price is None:
        raise DefinitionError(problems)
    return price


def parse_usage(data: object) -> Usage:
    """Build a Usage from {quantity, event_count, events: [{quantity, unit_amount}]}; raises UsageError.

    The quantity may be left out beside events; it is their sum then.
    """
    if isinstance(data, Mapping) and data.get("quantity") is None and data.get("events"):
        listed = _decode_usage(Usage, {**data, "quantity": 0})
        with localcontext(EXACT):
            return replace(listed, quantity=sum((event.quantity for event in listed.events), ZERO))
    return _decode_usage(Usage, data)


def parse_already_billed(data: object) -> AlreadyBilled:
    """Build an AlreadyBilled from {quantity, amount}; raises UsageError."""
    return _decode_usage(AlreadyBilled, data)


def _decode_usage(cls: type[T], data: object) -> T:
    try:
        return decode_object(cls, data)
    except UnreadableError as error:
        raise UsageError(error.problems) from error


def _class_of(data: object) -> type[Price]:
    if not isinstance(data, Mapping):
        raise DefinitionError.of("invalid_type", "Must be an object")
    model = data.get("model")
    if model is None:
        raise DefinitionError.of("missing_field", "This field is required", "/model")
    if not isinstance(model, str) or model not in MODELS:
        raise DefinitionError.of("unknown_model", f"Must be one of {', '.join(MODELS)}", "/model")
    return MODELS[model]


def _construct(cls: type[Price], values: dict[str, Any], problems: list[Problem]) -> Price | None:
    """Construct the price; with problems found, still try, so that rules across fields add theirs."""
    if problems:
        values = placeholders(cls, {field.name for field in fields(cls)} - values.keys()) | values
    try:
        return cls(**values)
    except DefinitionError as error:
        problems.extend(error.problems)
        return None


def _order_problems(tiers: object) -> Iterator[Problem]:
    """Check the bounds of tiers of which some can't be read."""
    if isinstance(tiers, list) and tiers:
        yield from tier_problems([_bound_of(tier) for tier in tiers])


def _bound_of(tier: object) -> Bound | None:
    try:
        return decode_object(Bound, {"up_to": tier.get("up_to")}) if isinstance(tier, Mapping) else None
    except UnreadableError:
        return None
