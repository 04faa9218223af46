"""The host names at which tenants' back offices answer."""

from unfold.decorators import display

from apps.core.admin.base import BackOfficeAdmin
from apps.core.admin_sites import platform_site
from apps.tenants.models import Domain


class DomainAdmin(BackOfficeAdmin):
    list_display = ("domain", "tenant_name", "is_primary")
    list_filter = ("is_primary",)
    list_select_related = ("tenant",)
    search_fields = ("domain", "tenant__name", "tenant__slug")
    search_help_text = "Host or tenant"
    autocomplete_fields = ("tenant",)
    actions = None

    @display(description="Tenant", ordering="tenant__name")
    def tenant_name(self, domain: Domain) -> str:
        return domain.tenant.name


platform_site.register(Domain, DomainAdmin)
