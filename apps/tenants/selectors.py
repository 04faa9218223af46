"""Who is asked for: tenants by slug and by host."""

from django.db.models import QuerySet

from apps.tenants.models import Domain, Tenant


def serving_tenants() -> QuerySet[Tenant]:
    """Tenants that are completely provisioned, by slug."""
    return Tenant.objects.filter(provisioned_at__isnull=False).order_by("slug")


def tenant_by_slug(slug: str) -> Tenant | None:
    return serving_tenants().filter(slug=slug).first()


def tenant_by_host(host: str) -> Tenant | None:
    """`host` without its port, in lower case."""
    domain = (
        Domain.objects.select_related("tenant")
        .filter(domain=host, tenant__provisioned_at__isnull=False)
        .first()
    )
    return domain.tenant if domain else None
