"""Filters of big tables: choices come from the catalog, never from a scan of the events."""

from typing import Any

from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from apps.catalog.models import Meter


class MeterFilter(DropdownFilter):
    title = "meter"
    parameter_name = "meter"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(meter.pk), meter.name) for meter in Meter.objects.order_by("name")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value() or ""
        return (
            queryset.filter(shape__meter_ids__contains=[int(value)])
            if value.isdecimal() and len(value) < 19
            else queryset
        )


class EventNameFilter(DropdownFilter):
    title = "event"
    parameter_name = "event_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = Meter.objects.order_by("event_name").values_list("event_name", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(shape__event_name=self.value()) if self.value() else queryset
