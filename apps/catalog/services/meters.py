"""Create and archive meters. What a meter measures never changes: its totals would no longer fit its events."""

from datetime import datetime

from django.db import transaction

from apps.audit.services.record import record
from apps.catalog.models import Meter
from apps.core.errors import Invalid, Refused


@transaction.atomic
def create_meter(
    *,
    code: str,
    name: str,
    event_name: str,
    aggregation: str,
    value_property: str = "",
    dimensions: list[str] | None = None,
    unit: str = "unit",
) -> Meter:
    """Raises `Refused` meter_exists, `Invalid` invalid_value_property."""
    if (aggregation == Meter.Aggregation.COUNT) != (value_property == ""):
        raise Invalid(
            "invalid_value_property",
            "A sum needs the property to sum; a count has none.",
            param="/value_property",
        )
    meter, created = Meter.objects.get_or_create(
        code=code,
        defaults={
            "name": name,
            "event_name": event_name,
            "aggregation": aggregation,
            "value_property": value_property,
            "dimensions": dimensions or [],
            "unit": unit,
        },
    )
    if not created:
        raise Refused("meter_exists", f"There is a meter {code!r} already.", param="/code")
    record(action="meter.created", target=meter)
    return meter


@transaction.atomic
def rename_meter(*, meter: Meter, **names: str) -> Meter:
    """Change how a meter and its unit are called; what it measures stays."""
    assert names.keys() <= {"name", "unit"}
    meter = Meter.objects.select_for_update().get(pk=meter.pk)
    changes = {
        name: [getattr(meter, name), text] for name, text in names.items() if getattr(meter, name) != text
    }
    if changes:
        for name, text in names.items():
            setattr(meter, name, text)
        meter.save(update_fields=list(names))
        record(action="meter.changed", target=meter, changes=changes)
    return meter


@transaction.atomic
def archive_meter(*, meter: Meter, now: datetime) -> bool:
    """Stop counting new events. False when it was archived before."""
    archived = bool(Meter.objects.filter(pk=meter.pk, archived_at__isnull=True).update(archived_at=now))
    if archived:
        record(action="meter.archived", target=meter)
    return archived
