"""A price as one row of a spreadsheet, there and back: every column is text that a person can read and type.

Tiers: `up to 1000: 0.01 per unit + 5 flat; beyond: 0.005 per unit`, or with rates `beyond: 0.029 rate`.
Filters: `model = gpt-5 | gpt-5-mini; region = eu`; names and values with other signs stand in quotation marks.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.catalog.definitions import in_order
from apps.catalog.models import PlanVersion, Price, PriceTier
from apps.catalog.models.plan import TERMS
from apps.catalog.services.plans import NewPrice
from apps.core.spreadsheets import NO, YES
from apps.rating import plain

PLACE = ("plan", "plan_name", "version", "status", "negotiated", "currency", "price_book", *TERMS)
PLAIN = (
    "flat_amount", "unit_amount", "package_size", "rate", "fixed_amount", "multiplier", "quantity_included",
    "events_included", "amount_included", "discount_percent", "discount_amount", "minimum_amount", "maximum_amount",
)  # fmt: skip
CONVERT = ("convert_divide_by", "convert_multiply_by", "convert_rounding")
COMMITMENT = (
    "commitment_amount", "commitment_quantity", "commitment_true_up", "commitment_overage_factor",
)  # fmt: skip
DEFINITION = (
    "code", "name", "model", "meter", "billing_timing", "is_per_seat", "filters", "tiers", *PLAIN,
    "unit_amount_property",
    "first_tier_flat_at_zero", *CONVERT, *COMMITMENT,
)  # fmt: skip
COLUMNS = (*PLACE, *DEFINITION)
NEEDED = ("plan", "code", "model")

NUMBERS = frozenset({"interval_count", "usage_interval_count", "trial_days"})
TIER_WORDS = {"unit_amount": "per unit", "rate": "rate", "flat_amount": "flat"}
TIER = re.compile(r"(?:up to\s+(?P<bound>\S+)|beyond)\s*:\s*(?P<parts>.+)", re.IGNORECASE | re.DOTALL)
TIER_PART = re.compile(r"(?P<number>\S+)\s+(?P<word>per unit|rate|flat)", re.IGNORECASE)
BARE = re.compile(r"[^\s=|;\"]+(?: +[^\s=|;\"]+)*")
TOKEN = re.compile(r'\s*(?P<text>"(?:[^"\\]|\\.)*"|[^\s=|;"]+(?: +[^\s=|;"]+)*)\s*(?P<sign>[=|;]|$)')


class UnreadableRow(Exception):
    """A cell says something that can't be read; the message names the column."""


def row_of(price: Price, version: PlanVersion) -> dict[str, str]:
    """Read meter, tiers and filters of the price, plan and book of the version beforehand."""
    return {
        "plan": version.plan.code,
        "plan_name": version.plan.name,
        "version": str(version.number),
        "status": version.status,
        "negotiated": YES if version.is_negotiated else "",
        "currency": version.currency,
        "price_book": version.price_book.code if version.price_book else "",
        **{name: cell(getattr(version, name)) for name in TERMS},
        **definition_row(price),
    }


def definition_row(price: Price) -> dict[str, str]:
    has_conversion = price.convert_divide_by is not None or price.convert_multiply_by is not None
    has_commitment = price.commitment_amount is not None or price.commitment_quantity is not None
    return {
        "code": price.code,
        "name": price.name,
        "model": price.model,
        "meter": price.meter.code if price.meter else "",
        "billing_timing": price.billing_timing,
        "is_per_seat": YES if price.is_per_seat else "",
        "filters": filters_text({one.dimension: one.values for one in price.filters.all()}),
        "tiers": "; ".join(tier_text(tier) for tier in in_order(price.tiers.all())),
        **{name: cell(getattr(price, name)) for name in PLAIN},
        "unit_amount_property": price.unit_amount_property,
        "first_tier_flat_at_zero": "" if price.first_tier_flat_at_zero else NO,
        **{name: cell(getattr(price, name)) if has_conversion else "" for name in CONVERT},
        **{name: cell(getattr(price, name)) if has_commitment else "" for name in COMMITMENT},
    }


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return YES if value else NO
    return plain(value) if isinstance(value, Decimal) else str(value)


def tier_text(tier: PriceTier) -> str:
    parts = [
        f"{plain(getattr(tier, name))} {word}"
        for name, word in TIER_WORDS.items()
        if getattr(tier, name) is not None
    ]
    bound = "beyond" if tier.up_to is None else f"up to {plain(tier.up_to)}"
    return f"{bound}: {' + '.join(parts)}"


def filters_text(filters: Mapping[str, list[str]]) -> str:
    return "; ".join(
        f"{quoted(name)} = {' | '.join(quoted(value) for value in values)}"
        for name, values in sorted(filters.items())
    )


def quoted(text: str) -> str:
    return text if BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


# And back


def new_price(row: Mapping[str, str]) -> NewPrice:
    """What the catalog's services take. Raises `UnreadableRow`; what rating refuses is found later."""
    more: dict[str, Any] = {name: row[name] for name in PLAIN if row.get(name)}
    if row.get("tiers"):
        more["tiers"] = read_tiers(row["tiers"])
    if not flag(row, "first_tier_flat_at_zero", default=True):
        more["first_tier_flat_at_zero"] = False
    if row.get("convert_divide_by") or row.get("convert_multiply_by"):
        more["convert"] = {name.removeprefix("convert_"): row[name] for name in CONVERT if row.get(name)}
    if row.get("commitment_amount") or row.get("commitment_quantity"):
        more["commitment"] = {
            name.removeprefix("commitment_"): row[name]
            for name in ("commitment_amount", "commitment_quantity", "commitment_overage_factor")
            if row.get(name)
        } | {"true_up": flag(row, "commitment_true_up", default=False)}
    return NewPrice(
        code=row.get("code", ""),
        name=row.get("name") or row.get("code", ""),
        model=row.get("model", ""),
        meter=row.get("meter", ""),
        billing_timing=row.get("billing_timing") or Price.Timing.ARREARS,
        unit_amount_property=row.get("unit_amount_property", ""),
        filters=read_filters(row.get("filters", "")),
        is_per_seat=flag(row, "is_per_seat", default=False),
        more=more,
    )


def read_terms(row: Mapping[str, str]) -> dict[str, Any]:
    """Those that the file has a column for; an empty cell means the default. Raises `UnreadableRow`."""
    terms: dict[str, Any] = {}
    for name in TERMS:
        if name not in row:
            continue
        field: Any = PlanVersion._meta.get_field(name)
        text = row[name]
        if not text:
            terms[name] = field.get_default()
        elif name in NUMBERS:
            if not (text.isdecimal() and len(text) < 5):
                raise UnreadableRow(f"{name}: write a whole number, or leave it empty.")
            terms[name] = int(text)
        else:
            terms[name] = text.lower()
    return terms


def flag(row: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = (row.get(name) or "").lower()
    if text in ("", YES, NO):
        return default if not text else text == YES
    raise UnreadableRow(f"{name}: write yes or no, or leave it empty.")


def read_tiers(text: str) -> list[dict[str, str | None]]:
    tiers: list[dict[str, str | None]] = []
    for part in text.split(";"):
        if not part.strip():
            continue
        found = TIER.fullmatch(part.strip())
        if found is None:
            raise UnreadableRow(
                f"tiers: {part.strip()!r} does not read like “up to 1000: 0.01 per unit + 5 flat”."
            )
        tier: dict[str, str | None] = {"up_to": found["bound"]}
        for amount in found["parts"].split("+"):
            one = TIER_PART.fullmatch(amount.strip())
            if one is None:
                raise UnreadableRow(
                    f"tiers: {amount.strip()!r} does not read like “0.01 per unit” or “5 flat”."
                )
            name = next(key for key, word in TIER_WORDS.items() if word == one["word"].lower())
            if name in tier:
                raise UnreadableRow(f"tiers: {part.strip()!r} has two amounts {one['word']}.")
            tier[name] = one["number"]
        tiers.append(tier)
    return tiers


def read_filters(text: str) -> dict[str, list[str]]:
    filters: dict[str, list[str]] = {}
    name, position = "", 0
    expects_name = True
    while position < len(text.rstrip()):
        found = TOKEN.match(text, position)
        if found is None or expects_name != (found["sign"] == "="):
            raise UnreadableRow("filters: write them like “model = gpt-5 | gpt-5-mini; region = eu”.")
        value = json.loads(found["text"]) if found["text"].startswith('"') else found["text"]
        if expects_name:
            if value in filters:
                raise UnreadableRow(f"filters: {value!r} is named twice.")
            name, filters[value] = value, []
        else:
            filters[name].append(value)
        expects_name = found["sign"] == ";"
        position = found.end()
    if name and not filters[name]:
        raise UnreadableRow(f"filters: {name!r} has no value.")
    return filters
