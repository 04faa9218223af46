"""Backfills of a range: opened here or by API, filled by API, closed and reverted with what follows in view."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from apps.core import clock
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import NOTHING, badge, code, instant_column, instant_text
from apps.core.admin.registry import facts_for
from apps.core.admin_sites import tenant_site
from apps.usage.admin.corrections_event import FOLLOWS, ReasonForm
from apps.usage.models import UsageBackfill
from apps.usage.services.corrections.backfills import discard_backfill, open_backfill
from apps.usage.services.corrections.close_backfill import close_backfill
from apps.usage.services.corrections.revert_backfill import revert_backfill

MAY_BACKFILL = "usage.change_usagebackfill"
Status = UsageBackfill.Status
TONES = {
    Status.OPEN: "info", Status.CLOSED: "success", Status.REVERTED: "warning", Status.DISCARDED: "default",
}  # fmt: skip
OFFERED = {"close": Status.OPEN, "discard": Status.OPEN, "revert": Status.CLOSED}
WORDS = {
    "accepted": "count", "duplicate": "count already", "conflict": "contradict what counts",
    "quarantined": "can't count", "rejected": "are malformed", "voided": "were voided",
}  # fmt: skip


class UsageBackfillAdmin(BackOfficeAdmin):
    list_display = (
        "public_id_shown",
        "state",
        "mode",
        "range_shown",
        "customer",
        "staged_shown",
        "actor",
        "reason",
    )
    list_filter = (("status", ChoicesDropdownFilter), ("mode", ChoicesDropdownFilter))
    list_select_related = ("customer",)
    search_fields = ("=public_id", "reason", "actor", "event_name")
    search_help_text = "bkf_…, event, who or why"
    ordering = ("-id",)
    actions = None
    actions_detail = ("close", "revert", "discard")
    autocomplete_fields = ("customer",)
    is_recorded_by_service = True

    created_at_shown = instant_column("created_at", "Opened")
    closed_at_shown = instant_column("closed_at", "Closed")
    ended_at_shown = instant_column("ended_at", "Reverted or discarded")

    @display(description="ID")
    def public_id_shown(self, backfill: UsageBackfill) -> str:
        return code(backfill.public_id)

    @display(description="Status", ordering="status")
    def state(self, backfill: UsageBackfill) -> str:
        return badge(backfill.get_status_display(), TONES[Status(backfill.status)])

    @display(description="Range", ordering="starts_at")
    def range_shown(self, backfill: UsageBackfill) -> str:
        return f"{instant_text(backfill.starts_at)} – {instant_text(backfill.ends_at)}"

    @display(description="Staged", ordering="staged_count")
    def staged_shown(self, backfill: UsageBackfill) -> str:
        return f"{backfill.staged_count:,}"

    @display(description="Outcome")
    def outcome_shown(self, backfill: UsageBackfill) -> str:
        return outcome_text(backfill.outcome) or NOTHING

    def get_fieldsets(self, request: HttpRequest, obj: UsageBackfill | None = None) -> Any:
        if obj is None:
            text = "Events are sent to it by API, and count once it is closed."
            fields: Any = ("mode", "starts_at", "ends_at", "customer", "event_name", "reason")
            return ((None, {"fields": fields, "description": text}),)
        fields = (
            ("state", "public_id_shown"),
            ("mode", "range_shown"),
            ("customer", "event_name"),
            ("staged_shown", "outcome_shown"),
            ("created_at_shown", "actor"),
            ("closed_at_shown", "ended_at_shown"),
            "reason",
        )
        return ((None, {"fields": fields}),)

    def get_readonly_fields(self, request: HttpRequest, obj: UsageBackfill | None = None) -> Any:
        if obj is None:
            return ()
        shown = (
            "state",
            "public_id_shown",
            "range_shown",
            "staged_shown",
            "outcome_shown",
            "created_at_shown",
        )
        return (*shown, "closed_at_shown", "ended_at_shown", "actor")

    def has_change_permission(self, request: HttpRequest, obj: UsageBackfill | None = None) -> bool:
        """The list is open to who may see it; what was opened is what was announced, and stays so."""
        return obj is None and super().has_change_permission(request, obj)

    def field_of(self, param: str) -> str:
        return {"/start": "starts_at", "/end": "ends_at"}.get(param, param)

    def save_model(self, request: HttpRequest, obj: UsageBackfill, form: Any, change: bool) -> None:
        made = open_backfill(now=clock.now(), **form.cleaned_data)
        obj.pk, obj.public_id = made.pk, made.public_id

    # Actions

    def is_on_offer(self, action: str, record: UsageBackfill) -> bool:
        return record.status == OFFERED[action]

    @action(description="Close", icon="done_all", variant=ActionVariant.PRIMARY, permissions=[MAY_BACKFILL])
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        backfill = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            closed = close_backfill(backfill=backfill, now=clock.now())
            return f"Backfill {backfill} is closed: {outcome_text(closed.outcome) or 'nothing changed'}."

        facts: dict[str, Any] = {"Staged events": f"{backfill.staged_count:,}"}
        if request.method == "GET" and backfill.is_open:
            facts |= facts_for("usage.usagebackfill.close", backfill)
        question = Question(
            title="Close the backfill?",
            text=f"All of it counts at once. {FOLLOWS} It can be reverted.",
            facts=facts,
            button="Close",
        )
        return ask(self, request, question, act, record=backfill)

    @action(description="Revert", icon="undo", permissions=[MAY_BACKFILL])
    def revert(self, request: HttpRequest, object_id: str) -> HttpResponse:
        backfill = self.record_of(request, object_id)

        def act(given: dict[str, Any]) -> str:
            revert_backfill(backfill=backfill, reason=given["reason"], now=clock.now())
            return f"Backfill {backfill} is reverted: what counted before it counts again."

        question = Question(
            title="Revert the backfill?",
            text=f"Its events count no more, and what it voided counts again. {FOLLOWS}",
            facts={"Closed with": outcome_text(backfill.outcome) or NOTHING},
            form=ReasonForm,
            button="Revert",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=backfill)

    @action(description="Discard", icon="delete", permissions=[MAY_BACKFILL])
    def discard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        backfill = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            discard_backfill(backfill=backfill, now=clock.now())
            return f"Backfill {backfill} is discarded."

        question = Question(
            title="Discard the backfill?",
            text="What was staged is thrown away. Nothing of it ever counted.",
            facts={"Staged events": f"{backfill.staged_count:,}"},
            button="Discard",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=backfill)


def outcome_text(outcome: dict[str, int]) -> str:
    return ", ".join(f"{outcome[name]:,} {words}" for name, words in WORDS.items() if outcome.get(name))


tenant_site.register(UsageBackfill, UsageBackfillAdmin)
