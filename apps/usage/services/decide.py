"""What a well-formed event counts for: which meters, with what values and dimensions."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from apps.catalog.measure import Measurement, dimension_text, fits, is_structure, whole_text
from apps.catalog.models import Meter
from apps.usage.services.validate import Rejection, metered_value, pointer

__all__ = ["Reading", "dimension_text", "readings_of"]

ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter reads off one event. `value` is a number, or for a unique count a text."""

    measurement: Measurement
    value: Decimal | str
    dimensions: tuple[tuple[str, str], ...]


def readings_of(properties: dict[str, Any], measurements: list[Measurement]) -> list[Reading]:
    """Raises `Rejection` when a metered property holds no number, or one whose values are counted no single value.

    A meter whose property is absent, or whose filters don't hold, reads nothing. Values are looked at whether
    the filters hold or not: what is malformed must not depend on what else an event says.
    """
    found = []
    for one in measurements:
        value = value_of(properties, one)
        if value is not None and one.matches(properties):
            dimensions = tuple((name, dimension_text(properties.get(name))) for name in one.dimensions)
            found.append(Reading(one, value, dimensions))
    return found


def value_of(properties: dict[str, Any], measurement: Measurement) -> Decimal | str | None:
    if measurement.aggregation == Meter.Aggregation.COUNT:
        return ONE
    name = measurement.value_property
    if measurement.aggregation == Meter.Aggregation.UNIQUE_COUNT:
        return counted_text(properties.get(name), name)
    if measurement.expression is None:
        return metered_value(properties.get(name), name)
    operands = {name: metered_value(properties.get(name), name) for name in measurement.operands}
    value = measurement.expression.evaluate(operands)
    if value is None:
        return None
    if not fits(value):
        raise Rejection(
            "value_out_of_range",
            "/properties",
            f"{measurement.expression.text} gives {value:f}; a reading lies between 0 and 10^19, with at most"
            " 18 decimals.",
        )
    return value


def counted_text(value: Any, name: str) -> str | None:
    """The whole text, however long: values that begin alike are different."""
    if is_structure(value):
        raise Rejection(
            "invalid_value",
            f"/properties/{pointer(name)}",
            f"Different values of {name} are counted: send a text, a number or a truth value.",
        )
    return None if value is None else whole_text(value)
