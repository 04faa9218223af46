"""A price in words: for lists, questions, frozen pages and the comparison of versions."""

from decimal import Decimal

from apps.catalog.definitions import in_order
from apps.catalog.models import Price, PriceTier
from apps.core.admin.display import quantity_text, rate_text
from apps.rating import plain

Model = Price.Model


def percent_text(rate: Decimal) -> str:
    return f"{plain(rate * 100)} %"


def several(unit: str) -> str:
    return unit if unit.endswith("s") or unit.isupper() else f"{unit}s"


def unit_of(price: Price) -> str:
    """What a billed unit is called: after a conversion it is no longer the meter's."""
    if price.meter is None:
        return ""
    if price.convert_divide_by is not None:
        return f"{quantity_text(price.convert_divide_by)} {several(price.meter.unit)}"
    return "unit" if price.convert_multiply_by is not None else price.meter.unit


def every_text(unit: str, count: int) -> str:
    """`Every month`, `Every 3 months`."""
    return f"Every {unit}" if count == 1 else f"Every {count} {several(unit)}"


def summary_of(price: Price, currency: str) -> str:
    """One line. Read `meter` beforehand, and `tiers` of prices that have some."""
    unit = unit_of(price)
    match price.model:
        case Model.FLAT:
            seat = " a seat" if price.is_per_seat else ""
            when = "once" if price.billing_timing == Price.Timing.ONCE else "a period"
            text = f"{rate_text(price.flat_amount, currency)}{seat} {when}"
        case Model.PER_UNIT:
            text = f"{rate_text(price.unit_amount, currency)} per {unit}"
        case Model.PACKAGE:
            text = f"{rate_text(price.unit_amount, currency)} per {quantity_text(price.package_size)} {several(unit)}"
        case Model.PERCENTAGE:
            text = percent_text(price.rate or Decimal(0))
            if price.fixed_amount:
                text += f" + {rate_text(price.fixed_amount, currency)} per event"
        case Model.COST_PLUS:
            text = f"Cost × {plain(price.multiplier or Decimal(0))}"
        case Model.DYNAMIC:
            text = f"Each event's {price.unit_amount_property}"
        case _:
            tiers = in_order(price.tiers.all())
            first = tier_price(tiers[0], currency, unit) if tiers else "no tiers yet"
            text = f"{len(tiers)} tiers, the first {first}" if tiers else first
    return text


def tier_text(tier: PriceTier, currency: str, unit: str) -> str:
    bound = "beyond" if tier.up_to is None else f"up to {quantity_text(tier.up_to)}"
    return f"{bound}: {tier_price(tier, currency, unit)}"


def tier_price(tier: PriceTier, currency: str, unit: str) -> str:
    parts = []
    if tier.rate is not None:
        parts.append(percent_text(tier.rate))
    if tier.unit_amount is not None:
        parts.append(f"{rate_text(tier.unit_amount, currency)} per {unit}")
    if tier.flat_amount is not None and (tier.flat_amount or not parts):
        parts.append(f"{rate_text(tier.flat_amount, currency)} flat")
    return " + ".join(parts)


def facts_of(price: Price, currency: str) -> dict[str, str]:
    """Everything that makes a price, by name; what is empty is left out. Read tiers, filters and meter beforehand."""
    facts = {"On the invoice": price.name, "Model": price.get_model_display()}
    if price.meter is not None:
        facts["Meter"] = price.meter.name
    for one in sorted(price.filters.all(), key=lambda one: one.dimension):
        facts[f"Only where {one.dimension} is"] = " or ".join(value or "empty" for value in one.values)
    facts["Billed"] = price.get_billing_timing_display()
    facts |= amounts_of(price, currency)
    facts |= limits_of(price, currency)
    return facts


def amounts_of(price: Price, currency: str) -> dict[str, str]:
    unit = unit_of(price)
    facts: dict[str, str] = {}
    if price.flat_amount is not None:
        facts["Fee per seat" if price.is_per_seat else "Fee"] = rate_text(price.flat_amount, currency)
    if price.unit_amount is not None:
        name = "Per package" if price.model == Model.PACKAGE else f"Per {unit}"
        facts[name] = rate_text(price.unit_amount, currency)
    if price.package_size is not None:
        facts["Units in a package"] = quantity_text(price.package_size)
    if price.rate is not None:
        facts["Rate"] = percent_text(price.rate)
    if price.fixed_amount is not None:
        facts["Per event"] = rate_text(price.fixed_amount, currency)
    if price.multiplier is not None:
        facts["Multiplier"] = plain(price.multiplier)
    if price.unit_amount_property:
        facts["Unit price from"] = price.unit_amount_property
    for number, tier in enumerate(in_order(price.tiers.all()), 1):
        facts[f"Tier {number}"] = tier_text(tier, currency, unit)
    if not price.first_tier_flat_at_zero:
        facts["Without usage"] = "the first tier's flat amount is not charged"
    return facts


def limits_of(price: Price, currency: str) -> dict[str, str]:
    facts: dict[str, str] = {}
    rounding = (
        ""
        if price.convert_rounding == Price.Rounding.NONE
        else f", rounded {price.get_convert_rounding_display().lower()}"
    )
    if price.convert_divide_by is not None:
        facts["Converted"] = f"÷ {quantity_text(price.convert_divide_by)}{rounding}"
    if price.convert_multiply_by is not None:
        facts["Converted"] = f"× {quantity_text(price.convert_multiply_by)}{rounding}"
    if price.quantity_included:
        facts["Included"] = quantity_text(price.quantity_included)
    if price.events_included is not None:
        facts["Events included"] = quantity_text(price.events_included)
    if price.discount_percent is not None:
        facts["Discount"] = f"{plain(price.discount_percent)} %"
    for name, amount in (
        ("Amount included", price.amount_included),
        ("Discount", price.discount_amount),
        ("Minimum", price.minimum_amount),
        ("Maximum", price.maximum_amount),
        ("Commitment", price.commitment_amount),
    ):
        if amount is not None:
            facts[name] = rate_text(amount, currency)
    if price.commitment_quantity is not None:
        facts["Commitment"] = f"{quantity_text(price.commitment_quantity)} {several(unit_of(price))}"
    if "Commitment" in facts:
        facts["If less is used"] = (
            "the rest is charged" if price.commitment_true_up else "nothing more is charged"
        )
        facts["Overage"] = f"× {plain(price.commitment_overage_factor)}"
    return facts
