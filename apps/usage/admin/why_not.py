"""Why a meter of the event's name did not count it, in a sentence."""

from typing import Any

from apps.catalog.admin.filter_lines import line_of
from apps.catalog.definitions import measurement_of
from apps.catalog.measure import Measurement, dimension_text
from apps.catalog.models import Meter
from apps.core.admin.display import instant_text
from apps.usage.models import UsageEvent
from apps.usage.services.decide import value_of
from apps.usage.services.validate import Rejection


def why_not(meter: Meter, event: UsageEvent, properties: dict[str, Any]) -> str:
    """First what the event lacks for the meter as it is defined now, then when the meter was in use."""
    measurement = measurement_of(meter)
    return (
        unmet_filter(meter, measurement, properties)
        or unread_value(measurement, properties)
        or not_in_use(meter, event)
    )


def unmet_filter(meter: Meter, measurement: Measurement, properties: dict[str, Any]) -> str:
    for document, one in zip(meter.filters, measurement.filters, strict=True):
        text = dimension_text(properties.get(one.property))
        if (text in one.values) is not one.is_in:
            said = f"it is “{text}”" if text else "the event does not have it"
            return f"The filter {line_of(document)} does not hold: {said}."
    return ""


def unread_value(measurement: Measurement, properties: dict[str, Any]) -> str:
    try:
        value = value_of(properties, measurement)
    except Rejection as rejection:
        return rejection.message
    if value is not None:
        return ""
    names = measurement.operands or (measurement.value_property,)
    absent = [name for name in names if properties.get(name) is None]
    if absent:
        return f"The event does not have {' or '.join(absent)}."
    return "Its formula gives no value for this event."


def not_in_use(meter: Meter, event: UsageEvent) -> str:
    if meter.created_at > event.received_at:
        return (
            f"The meter is younger than the event: it was made on {instant_text(meter.created_at)}."
            " A backfill of the meter lets it read older events."
        )
    if meter.archived_at is not None and meter.archived_at <= event.received_at:
        return f"The meter was archived on {instant_text(meter.archived_at)}."
    if meter.definition_version > 1:
        return (
            "The meter was defined otherwise when the event came in. A backfill lets it read the event as it is"
            " defined now."
        )
    return "The meter was not in use for events of this name when the event came in."
