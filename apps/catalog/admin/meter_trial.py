"""What a meter, as it stands on its form, would read off a pasted event. Nothing is stored."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError

from apps.catalog.admin.filter_lines import filters_in, line_of
from apps.catalog.admin.meter_words import Aggregation
from apps.catalog.measure import Measurement, compile_measurement, dimension_text, fits, is_structure
from apps.catalog.services.meter_fields import problems_of_value
from apps.core.admin.display import quantity_text
from apps.core.text import is_storable

NUMERIC = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
MAX_SAMPLE = 20_000
# A number is written out in full to be shown.
MAX_EXPONENT = 1000


def typed_fields(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A meter's definition as typed, and what is wrong with it."""
    fields: dict[str, Any] = {
        name: str(data.get(name, "")).strip()
        for name in ("event_name", "aggregation", "value_property", "value_expression")
    }
    dimensions = (name.strip() for name in str(data.get("dimensions", "")).split(","))
    fields |= {"dimensions": [name for name in dimensions if name], "filters": []}
    if fields["aggregation"] not in Aggregation.values:
        return fields, ["Choose an aggregation."]
    wrong = [problem.message for problem in problems_of_value(fields)]
    try:
        fields["filters"] = filters_in(str(data.get("filters", "")))
    except ValidationError as error:
        wrong += error.messages
    return fields, wrong


def trial_of(fields: Mapping[str, Any], sample: str) -> dict[str, Any]:
    """For the template: `wrong`, or what is read."""
    try:
        properties = properties_in(sample)
    except ValueError as error:
        return {"wrong": [str(error)]}
    measurement = compile_measurement(meter_id=0, **fields)
    try:
        # Before the filters, as with an event: what is malformed is refused whether they hold or not.
        read = reading(measurement, properties)
    except ValueError as error:
        return {"wrong": [str(error)]}
    refusing = next(
        (
            line_of(one)
            for one, compiled in zip(fields["filters"], measurement.filters, strict=True)
            if (dimension_text(properties.get(compiled.property)) in compiled.values) is not compiled.is_in
        ),
        "",
    )
    if refusing:
        return {"skipped": refusing}
    return {
        "value": read,
        "operands": [(name, text_or_absent(properties.get(name))) for name in measurement.operands],
        "dimensions": [(name, text_or_absent(properties.get(name))) for name in measurement.dimensions],
    }


def properties_in(sample: str) -> dict[str, Any]:
    """The properties themselves, or an event that holds them."""
    if len(sample) > MAX_SAMPLE:
        raise ValueError(f"A sample has at most {MAX_SAMPLE:,} characters.")
    try:
        found = json.loads(sample, parse_float=Decimal, parse_constant=Decimal)
    except (ValueError, RecursionError) as error:
        place = (
            f" at line {error.lineno}, column {error.colno}"
            if isinstance(error, json.JSONDecodeError)
            else ""
        )
        raise ValueError(f"The sample is no JSON{place}.") from error
    if isinstance(found, dict) and isinstance(found.get("properties"), dict):
        found = found["properties"]
    if not isinstance(found, dict):
        raise ValueError('The sample is an object of properties, like {"input_tokens": 1200}.')
    for name, value in found.items():
        if isinstance(value, str) and not is_storable(value):
            raise ValueError(f"{name} holds a NUL or half of a surrogate pair.")
        if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) > MAX_EXPONENT:
            raise ValueError(f"{name} is out of range.")
    return found


def reading(measurement: Measurement, properties: Mapping[str, Any]) -> str:
    """Empty when there is none. Raises `ValueError` for what can't be counted."""
    if measurement.aggregation == Aggregation.COUNT:
        return "1"
    if measurement.aggregation == Aggregation.UNIQUE_COUNT:
        value = properties.get(measurement.value_property)
        if is_structure(value):
            raise ValueError(
                f"{measurement.value_property} holds no single value: such an event is rejected."
            )
        return "" if value is None else f"“{dimension_text(value)}”"
    values = {name: number(name, properties.get(name)) for name in measurement.operands}
    if measurement.expression is None:
        value = values[measurement.value_property]
    else:
        value = measurement.expression.evaluate(values)
        if value is not None and not fits(value):
            raise ValueError(
                f"The value would be {value:f}; it must be zero or more, below 10^19, with at most 18 decimals."
            )
    return "" if value is None else quantity_text(value)


def number(name: str, value: Any) -> Decimal | None:
    if value is None:
        return None
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if not is_number and not (isinstance(value, str) and NUMERIC.fullmatch(value)):
        raise ValueError(f"{name} holds no number: such an event is rejected.")
    found = Decimal(value)
    if not fits(found):
        raise ValueError(f"{name} must be zero or more, below 10^19, with at most 18 decimals.")
    return found


def text_or_absent(value: Any) -> str:
    return dimension_text(value) or "absent"
