"""Meters. What one measures is fixed from the start; its name and unit may be improved."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from apps.catalog.models import Meter
from apps.catalog.services import meters
from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import NOTHING, badge, code, instant_column, instant_text
from apps.core.admin_sites import tenant_site

MEASUREMENT = ("code", "event_name", "aggregation", "value_property", "dimensions")


class ArchivedFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("in_use", "In use"), ("archived", "Archived")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Meter]) -> QuerySet[Meter]:
        if self.value() in ("in_use", "archived"):
            return queryset.filter(archived_at__isnull=self.value() == "in_use")
        return queryset


class MeterAdmin(BackOfficeAdmin):
    list_display = ("name", "code_shown", "event_shown", "measures", "dimensions_shown", "state")
    list_filter = (ArchivedFilter, ("aggregation", ChoicesDropdownFilter))
    search_fields = ("name", "code", "event_name")
    search_help_text = "Name, code or event"
    actions = None
    actions_detail = ("archive",)
    fieldsets = (
        (None, {"fields": ("name", "code", "unit")}),
        ("What it measures", {"fields": ("event_name", "aggregation", "value_property", "dimensions")}),
    )

    created_at_shown = instant_column("created_at", "Created")

    @display(description="Code", ordering="code")
    def code_shown(self, meter: Meter) -> str:
        return code(meter.code)

    @display(description="Event", ordering="event_name")
    def event_shown(self, meter: Meter) -> str:
        return code(meter.event_name)

    @display(description="Measures")
    def measures(self, meter: Meter) -> str:
        if meter.aggregation == Meter.Aggregation.COUNT:
            return "Number of events"
        return f"{meter.get_aggregation_display()} of {meter.value_property or meter.value_expression}"

    @display(description="Grouped by")
    def dimensions_shown(self, meter: Meter) -> str:
        return ", ".join(meter.dimensions) or NOTHING

    @display(description="State", ordering="archived_at")
    def state(self, meter: Meter) -> str:
        return badge("Archived") if meter.archived_at else badge("In use")

    @display(description="Archived")
    def archived_at_shown(self, meter: Meter) -> str:
        return instant_text(meter.archived_at)

    def get_fieldsets(self, request: HttpRequest, obj: Meter | None = None) -> Any:
        if obj is None:
            return self.fieldsets
        history = ("created_at_shown", "archived_at_shown") if obj.archived_at else ("created_at_shown",)
        return (*self.fieldsets, ("History", {"fields": ("state", *history)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Meter | None = None) -> tuple[str, ...]:
        shown = ("state", "created_at_shown", "archived_at_shown")
        return shown if obj is None else (*MEASUREMENT, *shown)

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            obj.pk = meters.create_meter(**form.cleaned_data).pk

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The service has recorded it."""

    def is_on_offer(self, action: str, record: Meter) -> bool:
        return record.archived_at is None

    @action(
        description="Archive",
        icon="archive",
        permissions=["catalog.change_meter"],
    )
    def archive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        meter = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            archived = meters.archive_meter(meter=meter, now=clock.now())
            return (
                f"{meter} counts no new events from now on." if archived else f"{meter} was archived before."
            )

        question = Question(
            title=f"Archive {meter}?",
            text="New events are no longer counted by it. What it has counted stays, and is billed as before.",
            facts={"Counts": self.measures(meter), "Of events": meter.event_name},
            button="Archive the meter",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=meter)


tenant_site.register(Meter, MeterAdmin)
