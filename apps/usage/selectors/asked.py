"""What somebody looks for among the events, and what was found."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from apps.catalog.models import Meter
from apps.usage.models import UsageEvent

COUNTED, VOIDED, AMENDED = "counted", "voided", "amended"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks for. `ids` are pairs of source and id that may be meant."""

    customer_id: int | None = None
    event_name: str = ""
    meter_id: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    verdict: str = ""
    ids: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Found:
    """One page of events, the latest first. `reach` says how far was looked, when that was not everywhere."""

    events: list[UsageEvent]
    reach: str = ""
    voided: set[UUID] = field(default_factory=set)


def meters_of(asked: Asked) -> list[int]:
    """The meters whose totals say where such events are."""
    if asked.meter_id is not None:
        return [asked.meter_id]
    return list(Meter.objects.filter(event_name=asked.event_name).values_list("pk", flat=True))
