"""What a meter measures, ready for the hot path: compiled once from a meter's columns, then asked for each event.

Pure Python: no Django, no database. `apps.catalog.definitions.measurement_of` makes one from a stored meter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from apps.catalog.expression import (
    MAX_CONSTANT,
    MAX_DECIMALS,
    Expression,
    ExpressionError,
    parse_expression,
)

__all__ = [
    "Expression",
    "ExpressionError",
    "Filter",
    "Measurement",
    "compile_measurement",
    "dimension_text",
    "fits",
    "is_structure",
    "parse_expression",
    "whole_text",
]

# As many characters as a dimension's value has at most.
MAX_DIMENSION = 255
IN, NOT_IN = "in", "not_in"


class Filter(NamedTuple):
    """`region in (eu, us)`, or with `is_in` false: `region not in (eu, us)`."""

    property: str
    values: frozenset[str]
    is_in: bool


@dataclass(frozen=True, slots=True)
class Measurement:
    """`operands` are the properties whose values it reads, `dimensions` those it groups by."""

    meter_id: int
    event_name: str
    aggregation: str
    value_property: str
    expression: Expression | None
    filters: tuple[Filter, ...]
    dimensions: tuple[str, ...]
    operands: tuple[str, ...]

    def matches(self, properties: Mapping[str, Any]) -> bool:
        """Whether all filters hold. What is absent is the empty text: it is not in (eu, us)."""
        return not self.filters or all(
            (dimension_text(properties.get(name)) in values) is is_in for name, values, is_in in self.filters
        )


def compile_measurement(
    *,
    meter_id: int,
    event_name: str,
    aggregation: str,
    value_property: str,
    value_expression: str,
    filters: Iterable[Mapping[str, Any]],
    dimensions: Sequence[str],
) -> Measurement:
    """Raises `ExpressionError`; what is stored has been parsed before."""
    expression = parse_expression(value_expression) if value_expression else None
    named = (value_property,) if value_property else ()
    return Measurement(
        meter_id=meter_id,
        event_name=event_name,
        aggregation=aggregation,
        value_property=value_property,
        expression=expression,
        filters=tuple(
            Filter(one["property"], frozenset(one["values"]), one["operator"] == IN) for one in filters
        ),
        dimensions=tuple(dimensions),
        operands=named if expression is None else expression.names,
    )


def fits(number: Decimal) -> bool:
    """Whether a value can be a reading: not negative, below 10^19, at most 18 decimals."""
    if not number.is_finite() or not 0 <= number < MAX_CONSTANT:
        return False
    _, digits, exponent = number.as_tuple()
    beyond = int(exponent) + MAX_DECIMALS
    return beyond >= 0 or not any(digits[beyond:])


def dimension_text(value: object) -> str:
    """Dimension values are text; what is absent is the empty text. Structures have no business being grouped by."""
    return "" if is_structure(value) else whole_text(value)[:MAX_DIMENSION]


def whole_text(value: object) -> str:
    """The text of a value that is no structure, by which a unique count tells values apart."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def is_structure(value: object) -> bool:
    return isinstance(value, dict | list)
