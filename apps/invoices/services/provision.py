"""What a new tenant needs of billing: its settings, and a legal entity that issues its invoices."""

from typing import Any

from apps.invoices.models import BillingSettings, LegalEntity
from apps.tenants.models import Tenant
from apps.tenants.services.provision import ProvisionRequest

PREFIX_LENGTH = 12


def provision_billing(tenant: Tenant, request: ProvisionRequest) -> dict[str, Any]:
    """Runs inside the new schema; keeps what is there."""
    prefix = tenant.slug.replace("-", "").upper()[:PREFIX_LENGTH]
    BillingSettings.objects.get_or_create(pk=1)
    if not LegalEntity.objects.exists():
        LegalEntity.objects.create(name=tenant.name, number_prefix=prefix, is_default=True)
    return {}
