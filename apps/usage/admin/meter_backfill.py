"""Backfills of meters: asked for here or on the meter's page, watched while a worker does them, called off."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display

from apps.catalog.models import Meter
from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import NOTHING, badge, instant_column, instant_text
from apps.core.admin.registry import Panel, register_facts, register_panel
from apps.core.admin_sites import tenant_site
from apps.usage.models import ArchivedPartition, MeterBackfill, RollupHour
from apps.usage.services.meter_backfill.request import cancel_backfill, request_backfill
from apps.usage.tasks import run_meter_backfill

MAY_CANCEL = "usage.change_meterbackfill"
Status = MeterBackfill.Status
TONES = {
    Status.QUEUED: "default", Status.RUNNING: "info", Status.DONE: "success", Status.FAILED: "danger",
    Status.CANCELLED: "warning",
}  # fmt: skip
PROGRESS = "admin/usage/meterbackfill/progress.html"


class MeterBackfillAdmin(BackOfficeAdmin):
    list_display = (
        "meter",
        "state",
        "progress",
        "range_shown",
        "readings_shown",
        "actor",
        "created_at_shown",
    )
    list_filter = (("status", ChoicesDropdownFilter), ("meter", AutocompleteSelectFilter))
    list_select_related = ("meter",)
    search_fields = ("meter__name", "meter__code", "actor", "reason")
    search_help_text = "Meter, who or why"
    ordering = ("-id",)
    actions = None
    actions_detail = ("cancel",)
    autocomplete_fields = ("meter",)
    is_recorded_by_service = True

    created_at_shown = instant_column("created_at", "Asked for")
    started_at_shown = instant_column("started_at", "Started")
    finished_at_shown = instant_column("finished_at", "Ended")

    @display(description="Status", ordering="status")
    def state(self, backfill: MeterBackfill) -> str:
        return badge(backfill.get_status_display(), TONES[Status(backfill.status)])

    @display(description="Progress")
    def progress(self, backfill: MeterBackfill) -> str:
        return f"{backfill.percent} %"

    @display(description="Events of")
    def range_shown(self, backfill: MeterBackfill) -> str:
        if backfill.starts_at is None and backfill.ends_at is None:
            return "All time"
        return f"{instant_text(backfill.starts_at)} – {instant_text(backfill.ends_at)}"

    @display(description="Readings added", ordering="readings_added")
    def readings_shown(self, backfill: MeterBackfill) -> str:
        return f"{backfill.readings_added:,}"

    def get_fieldsets(self, request: HttpRequest, obj: MeterBackfill | None = None) -> Any:
        if obj is None:
            text = (
                "The meter reads events that came in before it, as if it had been there. Ingestion goes on."
            )
            fields: Any = ("meter", "starts_at", "ends_at", "reason")
            return ((None, {"fields": fields, "description": text}),)
        fields = (
            ("meter", "range_shown"),
            ("created_at_shown", "actor"),
            ("started_at_shown", "finished_at_shown"),
            "reason",
        )
        return ((None, {"fields": fields}),)

    def get_readonly_fields(self, request: HttpRequest, obj: MeterBackfill | None = None) -> Any:
        shown = ("range_shown", "created_at_shown", "started_at_shown", "finished_at_shown", "actor")
        return shown if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: MeterBackfill | None = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {
            "starts_at": ArchivedPartition.events_kept_from(),
            **super().get_changeform_initial_data(request),
        }

    def field_of(self, param: str) -> str:
        return {"/start": "starts_at", "/end": "ends_at"}.get(param, param)

    def save_model(self, request: HttpRequest, obj: MeterBackfill, form: Any, change: bool) -> None:
        given = form.cleaned_data
        made = request_backfill(now=clock.now(), **given)
        obj.pk = made.pk
        transaction.on_commit(lambda: run_meter_backfill.delay(made.pk))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.progress_view)
        return [
            path("<int:object_id>/progress/", view, name="usage_meterbackfill_progress"),
            *super().get_urls(),
        ]

    def progress_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The panel alone: the page asks for it while the backfill runs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        panel = panel_of(request, self.record_of(request, str(object_id)))
        response = render(request, PROGRESS, {"panel": panel})
        if not panel["is_running"]:
            # At its end other buttons fit.
            response.headers["HX-Refresh"] = "true"
        return response

    def is_on_offer(self, action: str, record: MeterBackfill) -> bool:
        return record.is_unfinished

    @action(description="Cancel", icon="stop_circle", permissions=[MAY_CANCEL])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        backfill = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            stopped = cancel_backfill(backfill=backfill, now=clock.now())
            return f"{backfill} is cancelled." if stopped else f"{backfill} had come to its end already."

        question = Question(
            title="Cancel the backfill?",
            text="What has been read stays and counts. Another backfill goes over the same events without reading "
            "anything twice.",
            facts={"Gone over": f"{backfill.events_seen:,} events"},
            button="Cancel the backfill",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=backfill)


def panel_of(request: HttpRequest, backfill: MeterBackfill) -> dict[str, Any]:
    return {
        "backfill": backfill,
        "tone": TONES[Status(backfill.status)],
        "is_running": backfill.is_unfinished,
        "examples": backfill.skipped_examples,
    }


def panel_of_meter(request: HttpRequest, meter: Meter) -> dict[str, Any] | None:
    """The last backfill of a meter, and the way to another one."""
    last = MeterBackfill.objects.filter(meter=meter).select_related("meter").order_by("-id").first()
    may_ask = request.user.has_perm("usage.add_meterbackfill") and meter.archived_at is None
    if last is None and not may_ask:
        return None
    return {
        "meter": meter,
        "last": last,
        "text": NOTHING if last is None else f"{last.get_status_display()}, {last.percent} %",
        "tone": TONES[Status(last.status)] if last else "",
        "may_ask": may_ask and not (last and last.is_unfinished),
    }


def discarded_by_change(meter: Meter) -> dict[str, Any]:
    """What a draft loses when it is to measure something else; nothing when it has counted nothing."""
    totals = RollupHour.objects.filter(meter_id=meter.pk)
    counted = totals.aggregate(count=Sum("event_count"))["count"]
    if not counted:
        return {}
    kept_from = ArchivedPartition.events_kept_from()
    is_lost = kept_from is not None and totals.filter(bucket__lt=kept_from).exists()
    return {
        "Events it has counted": f"{counted:,}",
        "A backfill can read again": f"those from {instant_text(kept_from)} on; earlier ones are archived"
        if is_lost
        else "all of them",
    }


register_facts("catalog.meter.define", discarded_by_change)
register_panel(
    "usage.meterbackfill",
    Panel(10, "admin/usage/meterbackfill/panel.html", "usage.view_meterbackfill", panel_of, is_wide=True),
)
register_panel(
    "catalog.meter",
    Panel(60, "admin/usage/meterbackfill/of_meter.html", "usage.view_meterbackfill", panel_of_meter),
)
tenant_site.register(MeterBackfill, MeterBackfillAdmin)
