"""API keys: made with a name and scopes, shown once, revoked for good."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from apps.access.models import ApiKey, Scope
from apps.access.services import api_keys
from apps.access.services.rate_limit import limit_of
from apps.core import clock, schema
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import NOTHING, badge, code, instant_column, instant_text
from apps.core.admin_sites import tenant_site
from apps.core.recording import record

MAX_LIMIT = 2**31 - 1  # of the columns


class ApiKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="A key may do only what is ticked here. Scopes can't be changed later: make a new key instead.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "events_per_second", "burst_events")
        widgets = {"name": UnfoldAdminTextInputWidget}


class LimitForm(forms.Form):
    events_per_second = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_LIMIT,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=ApiKey._meta.get_field("events_per_second").help_text,
    )
    burst_events = forms.IntegerField(
        label="Burst",
        required=False,
        min_value=1,
        max_value=MAX_LIMIT,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=ApiKey._meta.get_field("burst_events").help_text,
    )


class InUseFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("in_use", "In use"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        if self.value() in ("in_use", "revoked"):
            return queryset.filter(revoked_at__isnull=self.value() == "in_use")
        return queryset


class ApiKeyAdmin(BackOfficeAdmin):
    form = ApiKeyForm
    list_display = (
        "name", "prefix_shown", "state", "scopes_shown", "limit_shown", "last_used_at_shown", "created_at_shown",
    )  # fmt: skip
    list_filter = (InUseFilter,)
    search_fields = ("name", "prefix")
    search_help_text = "Name or the head of a key"
    actions = None
    actions_detail = ("limit", "revoke")

    last_used_at_shown = instant_column("last_used_at", "Last used")
    created_at_shown = instant_column("created_at", "Created")

    @display(description="Key", ordering="prefix")
    def prefix_shown(self, api_key: ApiKey) -> str:
        return code(f"{api_key.prefix}…")

    @display(description="State", ordering="revoked_at")
    def state(self, api_key: ApiKey) -> str:
        return badge("In use") if api_key.revoked_at is None else badge("Revoked")

    @display(description="Scopes")
    def scopes_shown(self, api_key: ApiKey) -> str:
        return ", ".join(api_key.scopes)

    @display(description="Limit")
    def limit_shown(self, api_key: ApiKey) -> str:
        limit = limit_of(api_key)
        return f"{limit.per_second:,} events/s, {limit.burst:,} at once" if limit else NOTHING

    @display(description="Revoked")
    def revoked_at_shown(self, api_key: ApiKey) -> str:
        return instant_text(api_key.revoked_at)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "scopes", "events_per_second", "burst_events")
        shown = (
            "name", "prefix_shown", "state", "scopes_shown", "limit_shown", "created_at_shown", "last_used_at_shown",
        )  # fmt: skip
        return (*shown, "revoked_at_shown") if obj.revoked_at else shown

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        new = api_keys.create_api_key(
            tenant=schema.current_tenant(),
            name=obj.name,
            scopes=obj.scopes,
            events_per_second=obj.events_per_second,
            burst_events=obj.burst_events,
        )
        obj.pk, obj.prefix = new.api_key.pk, new.api_key.prefix
        # For the page that answers this request; it is stored nowhere.
        request.new_api_key = new.key  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "New API key",
            "opts": self.opts,
            "api_key": obj,
            "key": request.new_api_key,  # type: ignore[attr-defined]
        }
        return TemplateResponse(
            request, "admin/access/apikey/created.html", context, headers={"Cache-Control": "no-store"}
        )

    def is_on_offer(self, action: str, record: ApiKey) -> bool:
        return record.revoked_at is None

    @action(description="Change the limit", icon="speed", permissions=["access.change_apikey"])
    def limit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        api_key = self.record_of(request, object_id)

        def act(answered: dict[str, Any]) -> str:
            changed = api_keys.change_limits(api_key=api_key, **answered)
            limit = limit_of(changed)
            return (
                f"{changed.name} may send {limit.per_second:,} events a second."
                if limit
                else (f"{changed.name} may send as many events as it likes.")
            )

        question = Question(
            title=f"How fast may {api_key.name} report usage?",
            text="Whoever sends more is told to come back later, and nothing of that request is stored.",
            facts={"Key": f"{api_key.prefix}…", "Limit now": self.limit_shown(api_key)},
            button="Change the limit",
            form=LimitForm,
            initial={"events_per_second": api_key.events_per_second, "burst_events": api_key.burst_events},
        )
        return ask(self, request, question, act, record=api_key)

    @action(
        description="Revoke", icon="block", variant=ActionVariant.DANGER, permissions=["access.change_apikey"]
    )
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        api_key = self.record_of(request, object_id)

        def act(_: dict[str, Any]) -> str:
            if api_keys.revoke_api_key(api_key=api_key, now=clock.real_now()):
                record(action="api_key.revoked", target=api_key)
                return f"{api_key.name} is revoked; requests with it are refused from now on."
            return f"{api_key.name} was revoked before."

        question = Question(
            title=f"Revoke {api_key.name}?",
            text="Requests with this key are refused at once. A revoked key can't be brought back.",
            facts={"Key": f"{api_key.prefix}…", "Last used": instant_text(api_key.last_used_at)},
            button="Revoke the key",
            is_dangerous=True,
        )
        return ask(self, request, question, act, record=api_key)


tenant_site.register(ApiKey, ApiKeyAdmin)
