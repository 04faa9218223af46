"""Two back offices: the platform operator's in the public schema, and each tenant's in its own.

They are two sites, so that a tenant's superuser can't even name the platform's tables.
"""

from unfold.sites import UnfoldAdminSite


class PlatformAdminSite(UnfoldAdminSite):
    index_template = "admin/platform_index.html"


class TenantAdminSite(UnfoldAdminSite):
    index_template = "admin/tenant_index.html"


platform_site = PlatformAdminSite(name="admin")
tenant_site = TenantAdminSite(name="admin")
