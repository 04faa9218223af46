"""The preview of a form that is not saved, or of a stored price, as its template wants it."""

from typing import Any

from apps.catalog.admin.preview import Typed, preview_of
from apps.catalog.admin.price_form import SILENT, PriceForm, tier_rows
from apps.catalog.definitions import definition_document, definition_of
from apps.catalog.models import Price
from apps.rating import Price as Definition
from apps.rating import RatingError, parse_price


def preview_of_form(form: PriceForm, typed: Typed, wrong: dict[str, str]) -> dict[str, Any]:
    """`wrong` is what could not be read of the typed quantities, by name."""
    missing = missing_in(form)
    if missing:
        return {"missing": missing, "wrong": wrong}
    rows = [tier for _, tier in tier_rows(form.formsets["tiers"])]
    currency = form.plan_version.currency
    try:
        definition = parse_price(definition_document(form.instance, rows), currency=currency)
    except RatingError as error:
        # A mistake in a filter kept the form from looking at the definition.
        return {"missing": [{"field": "", "text": f"{error.message}."}], "wrong": wrong}
    meter = form.cleaned_data.get("meter")
    return rated(definition, currency, meter.unit if meter else "", typed, wrong)


def preview_of_price(price: Price, typed: Typed, wrong: dict[str, str]) -> dict[str, Any]:
    try:
        definition = definition_of(price)
    except RatingError as error:
        return {"missing": [{"field": "", "text": f"{error.message}."}], "wrong": wrong}
    unit = price.meter.unit if price.meter else ""
    return rated(definition, price.plan_version.currency, unit, typed, wrong)


def rated(
    definition: Definition, currency: str, unit: str, typed: Typed, wrong: dict[str, str]
) -> dict[str, Any]:
    try:
        shown = preview_of(definition, currency=currency, unit=unit, typed=typed)
    except RatingError as error:
        return {"missing": [{"field": "", "text": f"{error.message}."}], "wrong": wrong}
    return {**shown, "wrong": wrong}


def missing_in(form: PriceForm) -> list[dict[str, str]]:
    """What keeps a definition from being rated, with the field's name. Empty when it can be."""
    found = [
        {"field": label_of(form, name), "text": str(text)}
        for name, texts in form.errors.items()
        if name not in SILENT
        for text in texts
    ]
    tiers = form.formsets["tiers"]
    found += [{"field": "Tiers", "text": str(text)} for text in tiers.non_form_errors()]
    for number, row in enumerate(tiers.forms, 1):
        for name, texts in row.errors.items():
            label = label_of(row, name).lower()
            place = f"Tier {number}, {label}" if label else f"Tier {number}"
            found += [{"field": place, "text": str(text)} for text in texts]
    return found


def label_of(form: Any, name: str) -> str:
    return str(form.fields[name].label or "") if name in form.fields else ""
