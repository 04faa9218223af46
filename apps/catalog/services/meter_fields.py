"""Whether what a meter shall measure makes sense: every problem at once, with a pointer to its field."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from apps.catalog.expression import ExpressionError, parse_expression
from apps.catalog.measure import IN, MAX_DIMENSION, NOT_IN
from apps.catalog.models import Meter
from apps.catalog.models.meter import MAX_DIMENSIONS
from apps.catalog.services.plans import errors_of
from apps.core.errors import Invalid
from apps.core.text import is_storable
from apps.rating import Problem

MAX_FILTERS = 10
MAX_FILTER_VALUES = 20
MAX_PROPERTY = 127
FILTER_FIELDS = {"property", "operator", "values"}


def check(fields: Mapping[str, Any]) -> None:
    """Raise `Invalid` for a meter's definition that can't be counted; `fields` are all of its columns."""
    problems = [*problems_of_value(fields), *problems_of_filters(fields["filters"])]
    if len(fields["dimensions"]) > MAX_DIMENSIONS:
        problems.append(
            Problem("invalid_dimensions", "/dimensions", f"A meter has at most {MAX_DIMENSIONS} dimensions.")
        )
    refuse(problems)


def check_display_unit(unit: str, size: Decimal) -> None:
    """Raise `Invalid` invalid_display_unit when the size has no unit, or is none."""
    problems = []
    if size <= 0:
        problems.append(Problem("invalid_display_unit", "/display_unit_size", "The size is above zero."))
    elif size != 1 and not unit:
        problems.append(
            Problem("invalid_display_unit", "/display_unit", "Name the unit that the size belongs to.")
        )
    refuse(problems)


def refuse(problems: list[Problem]) -> None:
    if problems:
        first = problems[0]
        raise Invalid(
            first.code,
            first.message,
            param=first.pointer,
            errors=errors_of(problems),
        )


def problems_of_value(fields: Mapping[str, Any]) -> Iterator[Problem]:
    aggregation, name, text = fields["aggregation"], fields["value_property"], fields["value_expression"]
    what = Meter.Aggregation(aggregation).label.lower()
    if aggregation == Meter.Aggregation.COUNT:
        if name:
            yield Problem("invalid_value_property", "/value_property", "A count reads no property.")
        if text:
            yield Problem("invalid_value_expression", "/value_expression", "A count reads no value.")
    elif aggregation == Meter.Aggregation.UNIQUE_COUNT:
        if not name:
            text_of = "Name the property whose different values are counted."
            yield Problem("invalid_value_property", "/value_property", text_of)
        if text:
            yield Problem(
                "invalid_value_expression", "/value_expression", "Different values are those of one property."
            )
    elif name and text:
        yield Problem(
            "invalid_value_expression", "/value_expression", "Give a property or an expression, not both."
        )
    elif not name and not text:
        yield Problem(
            "invalid_value_property", "/value_property", f"A {what} needs a property or an expression."
        )
    if text:
        yield from problems_of_expression(text)


def problems_of_expression(text: str) -> Iterator[Problem]:
    try:
        parse_expression(text)
    except ExpressionError as error:
        message = f"At character {error.position + 1}: {error.message}"
        yield Problem("invalid_value_expression", "/value_expression", message)


def problems_of_filters(filters: Any) -> Iterator[Problem]:
    if not isinstance(filters, list) or len(filters) > MAX_FILTERS:
        yield Problem(
            "invalid_filters",
            "/filters",
            f"Filters are a list of at most {MAX_FILTERS}; all of them must hold.",
        )
        return
    for index, one in enumerate(filters):
        for place, message in mistakes_in_filter(one):
            yield Problem("invalid_filters", f"/filters/{index}{place}", message)


def mistakes_in_filter(one: Any) -> Iterator[tuple[str, str]]:
    """Pointers below the filter, and words."""
    if not isinstance(one, dict) or one.keys() != FILTER_FIELDS:
        yield "", "A filter has a property, an operator and values."
        return
    name, values = one["property"], one["values"]
    if not isinstance(name, str) or not 0 < len(name) <= MAX_PROPERTY or not is_storable(name):
        yield "/property", f"A filter names a property of 1 to {MAX_PROPERTY} characters."
    if one["operator"] not in (IN, NOT_IN):
        yield "/operator", f"The operator is {IN} or {NOT_IN}."
    if not isinstance(values, list) or not 0 < len(values) <= MAX_FILTER_VALUES:
        yield "/values", f"A filter has 1 to {MAX_FILTER_VALUES} values."
        return
    for index, value in enumerate(values):
        if not isinstance(value, str) or len(value) > MAX_DIMENSION or not is_storable(value):
            yield f"/values/{index}", f"A value is a text of at most {MAX_DIMENSION} characters."
