"""Meters. What an active one measures is fixed; a draft may change. Beside the form, what it reads off an event."""

from copy import copy
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from apps.catalog.admin.meter_form import MeterForm
from apps.catalog.admin.meter_trial import trial_of, typed_fields
from apps.catalog.admin.meter_words import HELP, READS_EXPRESSION, READS_PROPERTY, measures_text
from apps.catalog.models import Meter
from apps.catalog.models.meter import DEFINITION
from apps.catalog.services import meters
from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import NOTHING, badge, code, instant_column, instant_text
from apps.core.admin.registry import facts_for
from apps.core.admin_sites import tenant_site

TRIAL = "admin/catalog/meter/trial.html"
SHOWN = (
    "How it is shown",
    {"fields": ("unit", "display_unit", "display_unit_size", "cardinality_warning_from")},
)
DISCARDS = "A draft: when this changes, what it has counted so far is discarded."


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
    form = MeterForm
    list_display = ("name", "code_shown", "event_shown", "measures", "dimensions_shown", "state")
    list_filter = (
        ArchivedFilter,
        ("status", ChoicesDropdownFilter),
        ("aggregation", ChoicesDropdownFilter),
    )
    search_fields = ("name", "code", "event_name", "value_property", "value_expression")
    search_help_text = "Name, code, event or what is read"
    actions = None
    actions_detail = ("activate", "archive")
    change_form_template = "admin/catalog/meter/change_form.html"
    is_recorded_by_service = True

    created_at_shown = instant_column("created_at", "Created")

    def get_urls(self) -> list[URLPattern]:
        trial = path("trial/", self.admin_site.admin_view(self.trial), name="catalog_meter_trial")
        return [trial, *super().get_urls()]

    # Columns

    @display(description="Code", ordering="code")
    def code_shown(self, meter: Meter) -> str:
        return code(meter.code)

    @display(description="Event", ordering="event_name")
    def event_shown(self, meter: Meter) -> str:
        return code(meter.event_name)

    @display(description="Measures", ordering="aggregation")
    def measures(self, meter: Meter) -> str:
        return measures_text(meter)

    @display(description="Grouped by")
    def dimensions_shown(self, meter: Meter) -> str:
        return ", ".join(meter.dimensions) or NOTHING

    @display(description="State", ordering="archived_at")
    def state(self, meter: Meter) -> str:
        if meter.archived_at:
            return badge("Archived")
        return badge("Draft") if meter.is_draft else badge("In use")

    @display(description="Archived")
    def archived_at_shown(self, meter: Meter) -> str:
        return instant_text(meter.archived_at)

    # The page

    def may_define(self, request: HttpRequest, meter: Meter | None) -> bool:
        """Whether what it measures can be typed."""
        return meter is None or (meter.is_draft and self.has_change_permission(request, meter))

    def get_fieldsets(self, request: HttpRequest, obj: Meter | None = None) -> Any:
        definition: dict[str, Any] = {"fields": ("event_shown", "measures", "dimensions_shown")}
        if self.may_define(request, obj):
            definition = {"fields": DEFINITION, "description": DISCARDS if obj else ""}
        measured = ("What it measures", definition)
        if obj is None:
            return ((None, {"fields": ("name", "code", "status")}), measured, SHOWN)
        history = ("created_at_shown", "archived_at_shown") if obj.archived_at else ("created_at_shown",)
        return (
            (None, {"fields": ("name", "code")}),
            measured,
            SHOWN,
            ("History", {"fields": ("state", *history)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Meter | None = None) -> tuple[str, ...]:
        shown = (
            "state", "event_shown", "measures", "dimensions_shown", "created_at_shown", "archived_at_shown",
        )  # fmt: skip
        if obj is None:
            return shown
        return ("code", *shown) if self.may_define(request, obj) else ("code", *DEFINITION, *shown)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        context["meter_settings"] = {
            "help": {str(name): text for name, text in HELP.items()},
            "fields": {"value_property": READS_PROPERTY, "value_expression": READS_EXPRESSION},
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        asked = self.asked_first(request, object_id) if object_id else None
        return asked or super().changeform_view(request, object_id, form_url, extra_context)

    def asked_first(self, request: HttpRequest, object_id: str) -> HttpResponse | None:
        """A page with what would be discarded, when a draft that has counted is to measure something else."""
        if request.method != "POST" or "confirmed" in request.POST:
            return None
        meter = self.get_object(request, object_id)
        if meter is None or not self.may_define(request, meter):
            return None
        form = self.get_form(request, meter, change=True)(request.POST, instance=copy(meter))
        given = form.cleaned_data if form.is_valid() else {}
        if all(given[name] == getattr(meter, name) for name in DEFINITION if name in given):
            return None
        facts = facts_for("catalog.meter.define", meter)
        if not facts:
            return None
        question = Question(
            title=f"Change what {meter} measures?",
            text="It begins anew: what it has counted so far is discarded. Events stay, and a backfill lets it read "
            "them again, as far as they are not archived.",
            facts=facts,
            button="Change and discard",
            is_dangerous=True,
            hidden=[
                (name, value)
                for name in request.POST
                for value in request.POST.getlist(name)
                if name != "csrfmiddlewaretoken"
            ],
        )
        return ask(self, request, question, lambda _: "", record=meter, is_answered=False)

    def save_model(self, request: HttpRequest, obj: Meter, form: Any, change: bool) -> None:
        if change:
            changed = {name: form.cleaned_data[name] for name in form.changed_data}
            meters.change_meter(meter=obj, **changed)
        else:
            obj.pk = meters.create_meter(**form.cleaned_data).pk

    def trial(self, request: HttpRequest) -> HttpResponse:
        """What the form as it stands, or the stored meter, reads off the pasted properties."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("catalog.view_meter"):
            raise PermissionDenied
        if "aggregation" in request.POST:
            fields, wrong = typed_fields(request.POST)
        else:
            meter = self.get_object(request, request.POST.get("meter", ""))
            if meter is None:
                raise Http404
            fields, wrong = meter.definition(), []
        sample = request.POST.get("sample", "").strip()
        trial = {"wrong": wrong} if wrong else trial_of(fields, sample) if sample else None
        return render(request, TRIAL, {"trial": trial, "unit": request.POST.get("unit", "")})

    # Actions

    def is_on_offer(self, action: str, record: Meter) -> bool:
        return record.is_draft if action == "activate" else record.archived_at is None

    @action(description="Activate", icon="check_circle", permissions=["catalog.change_meter"])
    def activate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        meter = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            activated = meters.activate_meter(meter=meter)
            return f"{meter} is active: prices can use it." if activated else f"{meter} was active before."

        question = Question(
            title=f"Activate {meter}?",
            text="What it measures is frozen for good. What it has counted so far stays, and can be billed.",
            facts={"Measures": self.measures(meter), "Of events": meter.event_name},
            button="Activate the meter",
        )
        return ask(self, request, question, act, record=meter)

    @action(description="Archive", icon="archive", permissions=["catalog.change_meter"])
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
            facts={"Measures": self.measures(meter), "Of events": meter.event_name},
            button="Archive the meter",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=meter)


tenant_site.register(Meter, MeterAdmin)
