"""Plans: a name and a row of versions. A new plan starts with a draft of version 1."""

from typing import Any

from django import forms
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.catalog.models import Plan, PlanVersion
from apps.catalog.services import plans
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import code, instant_column
from apps.core.admin.registry import Panel, register_panel
from apps.core.admin_sites import tenant_site
from apps.core.errors import Refused
from apps.core.validators import validate_currency


class NewPlanForm(forms.ModelForm):
    currency = forms.CharField(
        max_length=3,
        initial="USD",
        validators=[validate_currency],
        widget=UnfoldAdminTextInputWidget,
        help_text="Of the first version's prices, as an ISO 4217 code.",
    )

    class Meta:
        model = Plan
        fields = ("name", "code", "description", "currency")


class PlanAdmin(BackOfficeAdmin):
    list_display = ("name", "code_shown", "published", "drafts", "created_at_shown")
    search_fields = ("name", "code")
    search_help_text = "Name or code"
    actions = None
    actions_detail = ("draft_version",)

    created_at_shown = instant_column("created_at", "Created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        queryset: QuerySet[Plan] = super().get_queryset(request)
        return queryset.annotate(
            published_counted=Count("versions", filter=Q(versions__status="published")),
            drafts_counted=Count("versions", filter=Q(versions__status="draft")),
        )

    @display(description="Code", ordering="code")
    def code_shown(self, plan: Plan) -> str:
        return code(plan.code)

    @display(description="Published versions", ordering="published_counted")
    def published(self, plan: Any) -> int:
        return int(plan.published_counted)

    @display(description="Drafts", ordering="drafts_counted")
    def drafts(self, plan: Any) -> int:
        return int(plan.drafts_counted)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewPlanForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        fields = ("name", "code", "description")
        return (*fields, "currency") if obj is None else (*fields, "created_at_shown")

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        return () if obj is None else ("code", "created_at_shown")

    def save_model(self, request: HttpRequest, obj: Plan, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        version = plans.create_plan(**form.cleaned_data, prices=[])
        obj.pk = version.plan_id
        request.first_version = version  # type: ignore[attr-defined]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:
        """The service has recorded it."""

    def response_add(
        self, request: HttpRequest, obj: Plan, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.tell(request, f"{obj} has a draft of version 1. Add its prices, then publish it.")
        return to_version(request.first_version)  # type: ignore[attr-defined]

    @action(description="Draft a new version", icon="edit_note", permissions=["catalog.add_planversion"])
    def draft_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        plan = self.record_of(request, object_id)
        return to_version_copy(plan.versions.order_by("-number").first(), plan)


def to_version(version: PlanVersion) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:catalog_planversion_change", args=[version.pk]))


def to_version_copy(latest: PlanVersion | None, plan: Plan) -> HttpResponse:
    """A plan always has a version; the copy is asked for on the version's own page."""
    if latest is None:
        raise Refused("no_version", f"{plan} has no version to copy.")
    return HttpResponseRedirect(reverse("admin:catalog_planversion_copy", args=[latest.pk]))


def versions_of(request: HttpRequest, plan: Plan) -> dict[str, Any]:
    versions = plan.versions.order_by("-number").annotate(price_count=Count("prices"))
    return {"versions": list(versions)}


register_panel(
    "catalog.plan",
    Panel(10, "admin/catalog/plan/versions.html", "catalog.view_planversion", versions_of, is_wide=True),
)
tenant_site.register(Plan, PlanAdmin)
