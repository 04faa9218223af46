"""Create, change, activate and archive meters.

What an active meter measures never changes: its totals would no longer fit its events, nor the bills made of them.
A draft's may; its totals are then discarded by whoever keeps them.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import Meter
from apps.catalog.models.meter import DEFINITION
from apps.catalog.services import meter_fields
from apps.core.errors import Refused
from apps.rating import plain

# How a meter is called and shown, and when staff are warned: open to change at any time.
APPEARANCE = ("name", "unit", "display_unit", "display_unit_size", "cardinality_warning_from")

# What a draft counted by its former definition does not fit the new one. Apps above the catalog put in here what
# discards it; each is called with the changed meter, its row locked, inside the transaction of the change.
definition_changed_hooks: list[Callable[[Meter], None]] = []


@transaction.atomic
def create_meter(
    *,
    code: str,
    name: str,
    event_name: str,
    aggregation: str,
    value_property: str = "",
    value_expression: str = "",
    filters: list[dict[str, Any]] | None = None,
    dimensions: list[str] | None = None,
    unit: str = "unit",
    display_unit: str = "",
    display_unit_size: Decimal = Decimal(1),
    cardinality_warning_from: int = 10_000,
    status: str = Meter.Status.ACTIVE,
) -> Meter:
    """Raises `Refused` meter_exists; `Invalid` invalid_value_property, invalid_value_expression, invalid_filters,
    invalid_dimensions, invalid_display_unit."""
    columns = {
        "name": name,
        "status": status,
        "event_name": event_name,
        "aggregation": aggregation,
        "value_property": value_property,
        "value_expression": value_expression,
        "filters": filters or [],
        "dimensions": dimensions or [],
        "unit": unit,
        "display_unit": display_unit,
        "display_unit_size": display_unit_size,
        "cardinality_warning_from": cardinality_warning_from,
    }
    meter_fields.check(columns)
    meter_fields.check_display_unit(display_unit, display_unit_size)
    meter, created = Meter.objects.get_or_create(code=code, defaults=columns)
    if not created:
        raise Refused("meter_exists", f"There is a meter {code!r} already.", param="/code")
    record(action="meter.created", target=meter)
    return meter


@transaction.atomic
def change_meter(*, meter: Meter, **fields: Any) -> Meter:
    """Change what is given, of a meter's appearance and of a draft's definition.

    Raises what `change_draft_meter` raises, and `Invalid` invalid_display_unit.
    """
    appearance = {name: value for name, value in fields.items() if name in APPEARANCE}
    definition = {name: value for name, value in fields.items() if name not in APPEARANCE}
    if definition:
        meter = change_draft_meter(meter=meter, **definition)
    return change_appearance(meter=meter, **appearance) if appearance else meter


@transaction.atomic
def change_appearance(*, meter: Meter, **fields: Any) -> Meter:
    """Change how a meter and its unit are called and shown; what it measures stays."""
    assert fields.keys() <= set(APPEARANCE)
    meter = Meter.objects.select_for_update().get(pk=meter.pk)
    if changes := changes_by(meter, fields):
        meter_fields.check_display_unit(meter.display_unit, meter.display_unit_size)
        meter.save(update_fields=list(fields))
        record(action="meter.changed", target=meter, changes=changes)
    return meter


@transaction.atomic
def change_draft_meter(*, meter: Meter, **definition: Any) -> Meter:
    """Change what a draft measures: its definition_version rises, and its totals are discarded.

    Raises `Refused` meter_is_active; `Invalid` as `create_meter`.
    """
    assert definition.keys() <= set(DEFINITION)
    meter = Meter.objects.select_for_update().get(pk=meter.pk)
    changes = changes_by(meter, definition)
    if not changes:
        return meter
    if not meter.is_draft:
        raise Refused(
            "meter_is_active",
            f"{meter} is active: what it measures can't be changed. Archive it and make another.",
            param=f"/{next(iter(changes))}",
        )
    meter_fields.check(meter.definition())
    meter.definition_version += 1
    meter.save(update_fields=[*definition, "definition_version"])
    record(action="meter.definition_changed", target=meter, changes=changes)
    for hook in definition_changed_hooks:
        hook(meter)
    return meter


def changes_by(meter: Meter, fields: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Set the fields; what changed, before and after, as the audit keeps it."""
    changes = {
        name: [audit_value(getattr(meter, name)), audit_value(value)]
        for name, value in fields.items()
        if getattr(meter, name) != value
    }
    for name, value in fields.items():
        setattr(meter, name, value)
    return changes


def audit_value(value: Any) -> Any:
    return plain(value) if isinstance(value, Decimal) else value


@transaction.atomic
def activate_meter(*, meter: Meter) -> bool:
    """Freeze what a draft measures, so that prices can be published for it. False when it was active before."""
    activated = bool(
        Meter.objects.filter(pk=meter.pk, status=Meter.Status.DRAFT).update(status=Meter.Status.ACTIVE)
    )
    if activated:
        record(action="meter.activated", target=meter)
    return activated


@transaction.atomic
def archive_meter(*, meter: Meter, now: datetime) -> bool:
    """Stop counting new events. False when it was archived before."""
    archived = bool(Meter.objects.filter(pk=meter.pk, archived_at__isnull=True).update(archived_at=now))
    if archived:
        record(action="meter.archived", target=meter)
    return archived
