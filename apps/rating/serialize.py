"""Plain dictionaries of strings, for JSON: definitions to read back, charges to show and to store."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum

from apps.rating.charge import Charge, Step
from apps.rating.exact import plain
from apps.rating.money import minor_units
from apps.rating.prices.base import Price

UNROUNDED_PLACES = 6
"""An unrounded amount shows at least six decimals, so that nobody takes it for a rounded one."""


def definition_to_dict(definition: Price) -> dict[str, object]:
    """The dictionary of a definition, without defaults: `parse_price` of it gives an equal one."""
    return {"model": definition.model, **_fields_of(definition)}


def charge_to_dict(charge: Charge) -> dict[str, object]:
    """A charge as the API shows it. Amounts have at least the currency's decimals."""
    places = minor_units(charge.currency)
    result: dict[str, object] = {
        "amount": plain(charge.amount, places),
        "unrounded_amount": plain(charge.unrounded_amount, UNROUNDED_PLACES),
        "currency": charge.currency,
        "quantity": plain(charge.quantity),
        "steps": [step_to_dict(step, places) for step in charge.steps],
    }
    if charge.commitment is not None:
        use = charge.commitment
        result["commitment"] = {
            "within": plain(use.within, places),
            "overage": plain(use.overage, places),
            "true_up": plain(use.true_up, places),
        }
    return result


def step_to_dict(step: Step, places: int) -> dict[str, str]:
    """A row; what it doesn't have is left out. `places` are the currency's minor units, for the amount."""
    result = {"kind": step.kind.value, "description": step.description}
    for name in ("quantity", "unit_amount", "flat_amount", "rate"):
        value = getattr(step, name)
        if value is not None:
            result[name] = plain(value)
    if step.amount is not None:
        result["amount"] = plain(step.amount, places)
    return result


def _fields_of(value: object) -> Mapping[str, object]:
    assert is_dataclass(value)
    return {
        item.name: _spelled(getattr(value, item.name))
        for item in fields(value)
        if item.default is MISSING or getattr(value, item.name) != item.default
    }


def _spelled(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_spelled(item) for item in value]
    return _fields_of(value) if is_dataclass(value) else value
