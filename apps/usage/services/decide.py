"""What a well-formed event counts for: which customer, which meters, with what values and dimensions."""

from dataclasses import dataclass
from decimal import Decimal

from apps.catalog.models import Meter
from apps.usage.models import QuarantinedEvent
from apps.usage.services.validate import ParsedEvent, metered_value

Reason = QuarantinedEvent.Reason
MAX_DIMENSION = 255


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter reads off one event. `dimensions` are the values of the meter's dimensions, in its order."""

    meter_id: int
    value: Decimal
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Countable:
    """An event that can be accepted: its customer exists and at least one meter reads something off it."""

    event: ParsedEvent
    customer_id: int
    readings: list[Reading]


@dataclass(frozen=True, slots=True)
class Uncountable:
    """A well-formed event that has to wait for staff."""

    event: ParsedEvent
    reason: Reason


@dataclass(frozen=True, slots=True)
class Catalog:
    """The look-ups of one batch."""

    customers: dict[str, int]
    meters: dict[str, list[Meter]]


def decide(event: ParsedEvent, catalog: Catalog) -> Countable | Uncountable:
    """Raises `Rejection` when a metered property holds no number.

    Values are checked before the customer is: a malformed event would only be malformed again after a replay.
    A meter whose property is absent reads nothing; if none reads anything, somebody has to look.
    """
    meters = catalog.meters.get(event.event_name, [])
    readings = [reading for meter in meters if (reading := read(event, meter)) is not None]
    customer_id = catalog.customers.get(event.customer)
    if customer_id is None:
        return Uncountable(event, Reason.UNKNOWN_CUSTOMER)
    if not meters:
        return Uncountable(event, Reason.UNKNOWN_METER)
    if not readings:
        return Uncountable(event, Reason.MISSING_VALUE)
    return Countable(event, customer_id, readings)


def read(event: ParsedEvent, meter: Meter) -> Reading | None:
    if meter.aggregation == Meter.Aggregation.COUNT:
        value: Decimal | None = Decimal(1)
    else:
        value = metered_value(event.properties.get(meter.value_property), meter.value_property)
    if value is None:
        return None
    properties = event.properties
    return Reading(
        meter.pk, value, tuple((name, dimension_text(properties.get(name))) for name in meter.dimensions)
    )


def dimension_text(value: object) -> str:
    """Dimension values are text; what is absent is the empty text. Structures have no business being grouped by."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")[:MAX_DIMENSION]
    return str(value)[:MAX_DIMENSION]
