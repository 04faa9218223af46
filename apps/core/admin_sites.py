"""Two back offices: the platform operator's in the public schema, and each tenant's in its own.

They are two sites, so that a tenant's superuser can't even name the platform's tables.
"""

from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.sites import UnfoldAdminSite


class BackOfficeSite(UnfoldAdminSite):
    enable_nav_sidebar = True

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Whoever comes without a destination goes to the home page: the form carries none."""
        if REDIRECT_FIELD_NAME not in request.GET and REDIRECT_FIELD_NAME not in request.POST:
            query = request.GET.copy()
            query[REDIRECT_FIELD_NAME] = reverse("admin:index")
            request.GET = query  # type: ignore[assignment]
        return super().login(request, extra_context)


class PlatformAdminSite(BackOfficeSite):
    index_template = "admin/platform_index.html"


class TenantAdminSite(BackOfficeSite):
    index_template = "admin/tenant_index.html"


platform_site = PlatformAdminSite(name="admin")
tenant_site = TenantAdminSite(name="admin")
