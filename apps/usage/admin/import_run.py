"""Imports: a file is uploaded, tried, taken in by a worker, watched, stopped and gone on with."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.core import clock
from apps.core.admin.base import FactAdmin
from apps.core.admin.confirmation import Question, ask, page_of
from apps.core.admin.display import badge, code, instant_column, instant_text
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.errors import Refused
from apps.usage.admin.import_form import EXAMPLES, UploadForm, counted
from apps.usage.models import UsageImport
from apps.usage.services.imports import files
from apps.usage.services.imports import request as imports
from apps.usage.services.imports.try_out import Tried, try_import
from apps.usage.tasks import run_usage_import

MAY_IMPORT = "usage.run_usageimport"
Status = UsageImport.Status
TONES = {
    Status.UPLOADED: "default", Status.RUNNING: "info", Status.DONE: "success", Status.FAILED: "danger",
    Status.CANCELLED: "warning",
}  # fmt: skip
SHOWN_LINES = 50


class UsageImportAdmin(FactAdmin):
    list_display = (
        "file_name", "state", "progress", "accepted_shown", "left_out", "size", "actor", "created_at_shown",
    )  # fmt: skip
    list_filter = (("status", ChoicesDropdownFilter), ("format", ChoicesDropdownFilter))
    search_fields = ("file_name", "sha256", "=public_id")
    search_help_text = "File, checksum or imp_…"
    ordering = ("-id",)
    actions_detail = ("start", "cancel", "try_out")
    fields = (
        ("public_id_shown", "format"), ("size", "earliest_at_shown"), ("created_at_shown", "actor"),
        ("started_at_shown", "finished_at_shown"), "sha256_shown",
    )  # fmt: skip

    created_at_shown = instant_column("created_at", "Uploaded")
    started_at_shown = instant_column("started_at", "Started")
    finished_at_shown = instant_column("finished_at", "Finished")

    @display(description="Status", ordering="status")
    def state(self, run: UsageImport) -> str:
        return badge(run.get_status_display(), TONES[Status(run.status)])

    @display(description="Progress")
    def progress(self, run: UsageImport) -> str:
        return f"{run.percent} %"

    @display(description="Accepted", ordering="accepted")
    def accepted_shown(self, run: UsageImport) -> str:
        return f"{run.accepted:,}"

    @display(description="Not accepted")
    def left_out(self, run: UsageImport) -> str:
        return f"{run.position - run.accepted:,}"

    @display(description="Size", ordering="byte_size")
    def size(self, run: UsageImport) -> str:
        return filesizeformat(run.byte_size)

    @display(description="ID")
    def public_id_shown(self, run: UsageImport) -> str:
        return code(run.public_id)

    @display(description="SHA-256")
    def sha256_shown(self, run: UsageImport) -> str:
        return code(run.sha256)

    @display(description="Events from")
    def earliest_at_shown(self, run: UsageImport) -> str:
        return instant_text(run.earliest_at) if run.earliest_at else "as the usage settings say"

    # Upload

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MAY_IMPORT))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            try:
                run = self.uploaded(form.cleaned_data)
            except Refused as refused:
                form.refuse(refused.param, refused.message)
            else:
                return HttpResponseRedirect(page_of(self, run))
        context = {
            **self.admin_site.each_context(request),
            "title": "Import usage",
            "form": form,
            "opts": self.opts,
            "examples": EXAMPLES,
            "back": page_of(self),
        }
        return TemplateResponse(request, "admin/usage/usageimport/upload.html", context)

    def uploaded(self, wanted: dict[str, Any]) -> UsageImport:
        return imports.create_import(
            file_name=wanted["file"].name,
            pieces=wanted["file"].chunks(),
            format_name=wanted["format"],
            earliest_at=wanted["earliest_at"],
            now=clock.now(),
        )

    # Pages beside the record's

    def get_urls(self) -> list[URLPattern]:
        pages: list[tuple[str, Any, str]] = [
            ("<int:object_id>/progress/", self.progress_view, "progress"),
            ("<int:object_id>/report/", self.report, "report"),
            ("example/<slug:name>/", self.example, "example"),
        ]
        own = [
            path(route, self.admin_site.admin_view(view), name=f"usage_usageimport_{name}")
            for route, view, name in pages
        ]
        return [*own, *super().get_urls()]

    def progress_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The panel alone: the page asks for it while the import runs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        panel = panel_of(request, self.record_of(request, str(object_id)))
        response = render(request, "admin/usage/usageimport/progress.html", {"panel": panel})
        if not panel["is_running"]:
            # At its end other buttons fit, and other instants are known.
            response.headers["HX-Refresh"] = "true"
        return response

    def report(self, request: HttpRequest, object_id: int) -> HttpResponseBase:
        if not request.user.has_perm(MAY_IMPORT):
            raise PermissionDenied
        run = self.record_of(request, str(object_id))
        place = files.report_path_of(run)
        if not place.exists():
            raise Http404("There is no report yet.")
        return FileResponse(place.open("rb"), as_attachment=True, filename=f"{run.public_id}-report.csv")

    def example(self, request: HttpRequest, name: str) -> HttpResponse:
        if name not in EXAMPLES or not self.has_view_permission(request):
            raise Http404(f"There is no example {name!r}.")
        content_type, text = EXAMPLES[name]
        headers = {"Content-Disposition": f'attachment; filename="usage-example.{name}"'}
        return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)

    # Actions

    def is_on_offer(self, action: str, record: UsageImport) -> bool:
        if action == "cancel":
            return record.status in (Status.UPLOADED, Status.RUNNING)
        if action == "try_out":
            return record.status != Status.DONE
        return record.status in imports.MAY_START

    @action(description="Take in", icon="play_arrow", variant=ActionVariant.PRIMARY, permissions=[MAY_IMPORT])
    def start(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            started = imports.start_import(run=run, now=clock.now())
            transaction.on_commit(lambda: run_usage_import.delay(run.pk))
            return f"{run} is being taken in." if started else f"{run} is gone on with, if it had stopped."

        facts: dict[str, Any] = {"File": run.file_name, "Size": filesizeformat(run.byte_size)}
        if run.position:
            facts["Goes on behind"] = f"{run.position:,} records"
        former = imports.same_file(run)
        if former is not None:
            facts["The same file was taken in before"] = (
                f"{former}, {instant_text(former.started_at)}: {former.accepted:,} accepted. Its events answer "
                "duplicate."
            )
        question = Question(
            title="Take in the file?",
            text="A worker takes it in, a thousand records at a time. It can be stopped and gone on with; what has "
            "been accepted stays.",
            facts=facts,
            button="Take in",
        )
        return ask(self, request, question, act, record=run)

    @action(description="Cancel", icon="stop_circle", permissions=[MAY_IMPORT])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            stopped = imports.cancel_import(run=run, now=clock.now())
            return f"{run} is cancelled." if stopped else f"{run} had come to its end already."

        question = Question(
            title="Cancel the import?",
            text="What has been taken in stays. The import can be gone on with later.",
            facts={"Taken in": f"{run.position:,} records"},
            button="Cancel the import",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=run)

    @action(description="Dry run", icon="science", permissions=[MAY_IMPORT])
    def try_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        run = self.record_of(request, object_id)
        tried: Tried | None = None
        wrong = ""
        try:
            tried = try_import(run=run, now=clock.now())
        except Refused as refused:
            wrong = refused.message
        except OSError:
            wrong = "The file is not there any more."
        context = {
            **self.admin_site.each_context(request),
            "title": f"Dry run of {run}",
            "opts": self.opts,
            "original": run,
            "tried": tried,
            "wrong": wrong,
            "lines": tried.taken.lines[:SHOWN_LINES] if tried else [],
            "back": page_of(self, run),
        }
        return TemplateResponse(request, "admin/usage/usageimport/try_out.html", context)


def panel_of(request: HttpRequest, run: UsageImport) -> dict[str, Any]:
    return {
        "run": run,
        "counted": counted(run),
        "tone": TONES[Status(run.status)],
        "has_report": bool(run.report_size) and request.user.has_perm(MAY_IMPORT),
        "is_running": run.status == Status.RUNNING,
    }


register_panel(
    "usage.usageimport",
    Panel(10, "admin/usage/usageimport/panel.html", "usage.view_usageimport", panel_of, is_wide=True),
)
tenant_site.register(UsageImport, UsageImportAdmin)
