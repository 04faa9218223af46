"""Usage settings: one row a tenant, so the list leads straight to it. Keeping less asks first."""

from copy import copy
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import instant_text
from apps.core.admin_sites import tenant_site
from apps.usage.models import UsageSettings
from apps.usage.models.settings import MAX_BACKDATING_DAYS
from apps.usage.services.retention import WouldGo, would_go
from apps.usage.services.retention_settings import change_usage_settings

PAGE = "admin:usage_usagesettings_change"


class UsageSettingsAdmin(BackOfficeAdmin):
    fieldsets = (
        (
            "Taking events in",
            {
                "fields": ("backdating_days",),
                "description": "Late events of a billed period join the next invoice. Events that are older than this "
                "are refused.",
            },
        ),
        (
            "Keeping events",
            {
                "fields": ("retention_days", "partition_span"),
                "description": "Events lie in partitions. Once a day, those that ended longer ago are written into "
                "files and dropped, unless something still needs them: an invoice that is not issued or not paid "
                "yet, late events that may still come, or a backfill. Totals of hours and days stay for "
                "ever; single events are then found in the files alone.",
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Until the first change the defaults hold, and the page shows them.
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(reverse(PAGE, args=[1]))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is None and object_id == "1":
            days = min(settings.INGESTION_BACKDATING_DAYS, MAX_BACKDATING_DAYS)
            return UsageSettings(pk=1, backdating_days=days)
        return found

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        asked = self.asked_first(request, object_id or "")
        return asked or super().changeform_view(request, object_id, form_url, extra_context)

    def asked_first(self, request: HttpRequest, object_id: str) -> HttpResponse | None:
        """A page with what would go, when events are to be kept shorter than before; None when they are not."""
        if request.method != "POST" or "confirmed" in request.POST:
            return None
        current = self.get_object(request, object_id)
        if current is None or not self.has_change_permission(request, current):
            return None
        form = self.get_form(request, current, change=True)(request.POST, instance=copy(current))
        days = form.cleaned_data["retention_days"] if form.is_valid() else None
        if days is None or (current.retention_days is not None and days >= current.retention_days):
            return None
        question = question_of(days, would_go(now=clock.now(), retention_days=days))
        question.hidden.extend(
            (name, value)
            for name in request.POST
            for value in request.POST.getlist(name)
            if name != "csrfmiddlewaretoken"
        )
        return ask(self, request, question, lambda _: "", record=current, is_answered=False)

    def save_model(self, request: HttpRequest, obj: UsageSettings, form: Any, change: bool) -> None:
        change_usage_settings(
            backdating_days=obj.backdating_days,
            partition_span=obj.partition_span,
            retention_days=obj.retention_days,
            now=clock.now(),
        )

    def response_post_save_change(self, request: HttpRequest, obj: UsageSettings) -> HttpResponse:
        return HttpResponseRedirect(request.path)


def question_of(days: int, going: WouldGo) -> Question:
    facts = {
        "Partitions that would go": f"{going.partitions:,}",
        "Events in them, about": f"{going.event_count:,}",
        "Events then begin at": instant_text(going.kept_from) if going.kept_from else "as now",
    }
    if going.cutoff.held_by:
        facts["The rest is kept for"] = going.cutoff.held_by
    return Question(
        title=f"Keep events for {days:,} days?",
        text="Older ones are written into files by the next daily check, and then dropped from the database. They "
        "are not put back when this is changed again.",
        facts=facts,
        button="Keep them so long",
        is_dangerous=True,
    )


tenant_site.register(UsageSettings, UsageSettingsAdmin)
