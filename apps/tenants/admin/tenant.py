"""Tenants: provisioned by the service, with the first password and key shown once."""

from typing import Any

from django import forms
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import NOTHING, badge, code, instant_column, instant_text
from apps.core.admin_sites import platform_site
from apps.core.errors import Refused
from apps.core.recording import record
from apps.tenants.models import Domain, Tenant
from apps.tenants.services import provision


class NewTenantForm(forms.Form):
    slug = forms.CharField(
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text="Lower-case letters, digits and hyphens. Becomes the host name and a part of every API key.",
    )
    name = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="As staff see it. Default: from the slug.",
    )
    staff_email = forms.EmailField(
        label="First staff user",
        widget=UnfoldAdminEmailInputWidget,
        help_text="Signs in with the role Operations.",
    )
    is_sandbox = forms.BooleanField(
        label="Sandbox",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="A tenant with test keys and a clock that stands still until it is moved.",
    )
    clock_at = forms.SplitDateTimeField(
        label="Its clock starts at (UTC)",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="Default: now.",
    )


class TenantAdmin(BackOfficeAdmin):
    list_display = ("name", "mode_shown", "host", "created_at_shown", "state")
    list_filter = (("is_sandbox", BooleanRadioFilter),)
    search_fields = ("name", "slug", "domains__domain")
    search_help_text = "Name, slug or host"
    ordering = ("name",)
    fields = (
        "name",
        "slug",
        "mode_shown",
        "clock_shown",
        "host",
        "schema_shown",
        "created_at_shown",
        "state",
    )
    readonly_fields = (
        "slug",
        "mode_shown",
        "clock_shown",
        "host",
        "schema_shown",
        "created_at_shown",
        "state",
    )
    actions = None

    created_at_shown = instant_column("created_at", "Created")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        hosts = Prefetch("domains", Domain.objects.order_by("-is_primary", "domain"))
        return super().get_queryset(request).prefetch_related(hosts)

    @display(description="Mode", ordering="is_sandbox")
    def mode_shown(self, tenant: Tenant) -> str:
        return badge(tenant.mode.title())

    @display(description="Back office")
    def host(self, tenant: Tenant) -> str:
        hosts = list(tenant.domains.all())
        return code(hosts[0].domain) if hosts else NOTHING

    @display(description="Clock")
    def clock_shown(self, tenant: Tenant) -> str:
        return instant_text(tenant.clock_at) if tenant.clock_at else "Real time"

    @display(description="Schema")
    def schema_shown(self, tenant: Tenant) -> str:
        return code(tenant.schema_name)

    @display(description="State", ordering="provisioned_at")
    def state(self, tenant: Tenant) -> str:
        return badge("In use") if tenant.provisioned_at else badge("Unfinished")

    # A tenant is made by a service that migrates its schema, which can't be a part of a form's transaction.

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)
        form = NewTenantForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            answer = self.provision(form)
            if answer is not None:
                return self.page(
                    request,
                    "created",
                    {"title": f"{answer['name']} is ready", "answer": answer, "url": url_of(request, answer)},
                )
        return self.page(request, "new", {"title": "New tenant", "form": form})

    def provision(self, form: NewTenantForm) -> dict[str, Any] | None:
        """None when the service refused; the form says why."""
        given = form.cleaned_data
        try:
            answer = provision.provision_tenant(
                slug=given["slug"],
                name=given["name"],
                is_sandbox=given["is_sandbox"],
                at=given["clock_at"],
                request=provision.ProvisionRequest(staff_email=given["staff_email"]),
            )
        except Refused as refused:
            field = {"/slug": "slug", "/at": "clock_at"}.get(refused.param)
            form.add_error(field, refused.message)
            return None
        record(
            action="tenant.created",
            target=Tenant.objects.get(slug=given["slug"]),
            changes={"mode": answer["mode"]},
        )
        return answer

    def page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(
            request, f"admin/tenants/tenant/{name}.html", context, headers={"Cache-Control": "no-store"}
        )


def url_of(request: HttpRequest, answer: dict[str, Any]) -> str:
    """The new back office, on the port this page came from."""
    _, _, port = request.get_host().partition(":")
    return f"{request.scheme}://{answer['host']}{':' + port if port else ''}/admin/"


platform_site.register(Tenant, TenantAdmin)
