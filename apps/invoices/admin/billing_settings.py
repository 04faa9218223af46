"""Billing settings: one row a tenant, so the list leads straight to it."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin_sites import tenant_site
from apps.invoices.models import BillingSettings


class BillingSettingsAdmin(BackOfficeAdmin):
    fieldsets = (
        ("Drafts", {"fields": ("draft_grace_hours", "zero_invoices")}),
        (
            "Brakes before issue",
            {
                "description": "What trips a brake is parked until somebody releases it; the others go on."
                " Empty or unchecked: off.",
                "fields": (
                    ("brake_on_negative_total", "brake_on_double_charge"),
                    ("brake_on_quarantine", "brake_on_unpriced"),
                    ("brake_on_usage_gone", "brake_on_lines_above"),
                    ("brake_on_total_factor", "brake_on_total_invoices"),
                ),
            },
        ),
    )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "brake_on_total_invoices":
            field.label = "Compared from so many invoices on"
            field.help_text = "A customer with fewer has no mean to go by. 1 to 6."
        return field

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Provisioning has made the row.
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:invoices_billingsettings_change", args=[1]))

    def response_post_save_change(self, request: HttpRequest, obj: BillingSettings) -> HttpResponse:
        return HttpResponseRedirect(request.path)


tenant_site.register(BillingSettings, BillingSettingsAdmin)
