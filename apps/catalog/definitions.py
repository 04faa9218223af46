"""Rows of the catalog as pure definitions: the one bridge between stored prices and meters and their arithmetic."""

from collections.abc import Iterable
from typing import Any

from apps.catalog.measure import Measurement, compile_measurement
from apps.catalog.models import Meter, Price, PriceTier
from apps.rating import Price as Definition
from apps.rating import parse_price, plain

TIER_COLUMNS = ("unit_amount", "flat_amount", "rate")


def measurement_of(meter: Meter) -> Measurement:
    """What a stored meter measures, compiled. Parsing an expression is remembered; compile once for a batch."""
    return compile_measurement(meter_id=meter.pk, **meter.definition())


def definition_of(price: Price) -> Definition:
    """The definition of a stored price. Tiers come in the order of their bounds; prefetch them.

    Raises `apps.rating.DefinitionError` with pointers relative to the price.
    """
    return parse_price(definition_document(price), currency=price.plan_version.currency)


def definition_document(price: Price, tiers: Iterable[PriceTier] | None = None) -> dict[str, Any]:
    """The same as the JSON that POST /prices/preview takes: decimals as plain strings, empty fields left out.

    `tiers` are those of a price that is not stored yet.
    """
    document = {name: text_of(value) for name, value in price.definition_fields().items()}
    if ordered := in_order(price.tiers.all() if tiers is None else tiers):
        document["tiers"] = [tier_document(tier) for tier in ordered]
    if price.convert_divide_by is not None or price.convert_multiply_by is not None:
        document["convert"] = filled(
            divide_by=price.convert_divide_by,
            multiply_by=price.convert_multiply_by,
            rounding=str(price.convert_rounding),
        )
    if price.commitment_amount is not None or price.commitment_quantity is not None:
        document["commitment"] = filled(
            amount=price.commitment_amount,
            quantity=price.commitment_quantity,
            true_up=price.commitment_true_up,
            overage_factor=price.commitment_overage_factor,
        )
    return document


def in_order(tiers: Iterable[PriceTier]) -> list[PriceTier]:
    """By their bounds, the open one last."""
    return sorted(tiers, key=lambda tier: (tier.up_to is None, tier.up_to or 0))


def tier_document(tier: PriceTier) -> dict[str, Any]:
    return {"up_to": text_of(tier.up_to), **filled(**{name: getattr(tier, name) for name in TIER_COLUMNS})}


def filled(**fields: Any) -> dict[str, Any]:
    return {name: text_of(value) for name, value in fields.items() if value is not None}


def text_of(value: Any) -> Any:
    """Decimals as plain strings; what is none stays."""
    return value if value is None or isinstance(value, bool | int | str) else plain(value)


def price_from_document(document: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The other way: columns of `Price`, and of its tiers, for a document that `parse_price` has accepted."""
    columns = {name: value for name, value in document.items() if value is not None}
    convert = columns.pop("convert", None) or {}
    commitment = columns.pop("commitment", None) or {}
    tiers = columns.pop("tiers", None) or []
    columns |= {f"convert_{name}": value for name, value in convert.items() if value is not None}
    columns |= {f"commitment_{name}": value for name, value in commitment.items() if value is not None}
    columns.pop("currency", None)
    return columns, [dict(tier) for tier in tiers]
