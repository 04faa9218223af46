"""Billing settings: one row a tenant, so the list leads straight to it."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin_sites import tenant_site
from apps.invoices.models import BillingSettings


class BillingSettingsAdmin(BackOfficeAdmin):
    fieldsets = (
        ("Who issues the invoices", {"fields": ("legal_name", "address", "tax_id")}),
        ("Invoices", {"fields": ("number_prefix", "draft_grace_hours", "payment_due_days")}),
    )

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
