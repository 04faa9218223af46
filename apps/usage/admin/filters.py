"""Filters of the events. They say what is asked; apps.usage.selectors.found_events knows how to look for it.

Choices come from the catalog, never from a scan of the events.
"""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter, RangeDateTimeFilter
from unfold.utils import parse_datetime_str

from apps.catalog.models import Meter

QUARANTINED, REJECTED = "quarantined", "rejected"
VERDICTS = [
    ("counted", "Counted"),
    ("voided", "Voided"),
    ("amended", "Amended"),
    (QUARANTINED, "Quarantined"),
    (REJECTED, "Rejected"),
]


class CustomerFilter(AutocompleteSelectFilter):
    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset


class MeterFilter(DropdownFilter):
    title = "meter"
    parameter_name = "meter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(meter.pk), meter.name) for meter in Meter.objects.order_by("name")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset


class EventNameFilter(DropdownFilter):
    title = "event"
    parameter_name = "event_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = Meter.objects.order_by("event_name").values_list("event_name", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset


class VerdictFilter(DropdownFilter):
    title = "verdict"
    parameter_name = "verdict"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return VERDICTS

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset


class TimeFilter(RangeDateTimeFilter):
    """A day without a time begins at midnight (UTC); the end is not part of the range."""

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        return self.bound("from"), self.bound("to")

    def bound(self, edge: str) -> datetime | None:
        day = self.used_parameters.get(f"{self.parameter_name}_{edge}_0")
        time = self.used_parameters.get(f"{self.parameter_name}_{edge}_1") or "00:00:00"
        found = parse_datetime_str(f"{day} {time}") if day else None
        return found.replace(tzinfo=UTC) if found else None
