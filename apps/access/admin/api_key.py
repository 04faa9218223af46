"""API keys: made with a name and scopes, shown once, revoked for good."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from apps.access.models import ApiKey, Scope
from apps.access.services import api_keys
from apps.core import clock, schema
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.confirmation import Question, ask
from apps.core.admin.display import badge, code, instant_column, instant_text
from apps.core.admin_sites import tenant_site
from apps.core.recording import record


class ApiKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="A key may do only what is ticked here. Scopes can't be changed later: make a new key instead.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes")
        widgets = {"name": UnfoldAdminTextInputWidget}


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
    list_display = ("name", "prefix_shown", "state", "scopes_shown", "last_used_at_shown", "created_at_shown")
    list_filter = (InUseFilter,)
    search_fields = ("name", "prefix")
    search_help_text = "Name or the head of a key"
    actions = None
    actions_detail = ("revoke",)

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

    @display(description="Revoked")
    def revoked_at_shown(self, api_key: ApiKey) -> str:
        return instant_text(api_key.revoked_at)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("name", "scopes")
        shown = ("name", "prefix_shown", "state", "scopes_shown", "created_at_shown", "last_used_at_shown")
        return (*shown, "revoked_at_shown") if obj.revoked_at else shown

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        new = api_keys.create_api_key(tenant=schema.current_tenant(), name=obj.name, scopes=obj.scopes)
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
