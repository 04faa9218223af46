"""Prices negotiated with one customer: a copy of a plan version, edited and published like any other draft."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RelatedDropdownFilter
from unfold.decorators import display

from apps.catalog.models import PlanVersion
from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin.display import badge, instant_text
from apps.core.admin_sites import tenant_site
from apps.subscriptions.models import NegotiatedVersion
from apps.subscriptions.services.negotiate import negotiate_version


class NegotiateForm(forms.ModelForm):
    class Meta:
        model = NegotiatedVersion
        fields = ("customer", "plan_version")
        labels = {"plan_version": "Start from"}
        help_texts = {
            "plan_version": "Its prices are copied into a draft for this customer alone. It stays as it is."
        }

    def _post_clean(self) -> None:
        """The chosen version is copied, not taken: that it is somebody's already does not matter."""


class NegotiatedVersionAdmin(BackOfficeAdmin):
    form = NegotiateForm
    is_recorded_by_service = True
    list_display = ("version_shown", "customer", "state", "created_at_shown")
    list_display_links = None
    list_filter = (("customer", AutocompleteSelectFilter), ("plan_version__plan", RelatedDropdownFilter))
    list_select_related = ("customer", "plan_version__plan")
    search_fields = ("customer__name", "customer__external_id", "plan_version__plan__name")
    search_help_text = "Customer or plan"
    autocomplete_fields = ("customer", "plan_version")
    ordering = ("-id",)
    actions = None

    @display(description="Plan version", ordering="plan_version__plan__name")
    def version_shown(self, negotiated: NegotiatedVersion) -> str:
        """The version is all there is to it: its page is where the prices are."""
        url = reverse("admin:catalog_planversion_change", args=[negotiated.plan_version_id])
        return format_html('<a href="{}">{}</a>', url, negotiated.plan_version)

    @display(description="Status", ordering="plan_version__status")
    def state(self, negotiated: NegotiatedVersion) -> str:
        return badge(negotiated.plan_version.get_status_display())

    @display(description="Drafted", ordering="plan_version__created_at")
    def created_at_shown(self, negotiated: NegotiatedVersion) -> str:
        return instant_text(negotiated.plan_version.created_at)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "plan_version":
            kwargs["queryset"] = PlanVersion.objects.select_related("plan")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: NegotiatedVersion, form: Any, change: bool) -> None:
        copy = negotiate_version(
            customer=form.cleaned_data["customer"], version=form.cleaned_data["plan_version"]
        )
        obj.pk, obj.customer, obj.plan_version = copy.negotiated_for.pk, form.cleaned_data["customer"], copy

    def response_add(
        self, request: HttpRequest, obj: NegotiatedVersion, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.tell(
            request, f"{obj.plan_version} is a draft for {obj.customer}. Change its prices, then publish it."
        )
        return to_version(obj.plan_version)


def to_version(version: PlanVersion) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:catalog_planversion_change", args=[version.pk]))


tenant_site.register(NegotiatedVersion, NegotiatedVersionAdmin)
