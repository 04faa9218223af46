"""What a new tenant needs of billing: its settings."""

from typing import Any

from apps.invoices.models import BillingSettings
from apps.tenants.models import Tenant
from apps.tenants.services.provision import ProvisionRequest

PREFIX_LENGTH = 12


def provision_billing(tenant: Tenant, request: ProvisionRequest) -> dict[str, Any]:
    """Runs inside the new schema; keeps settings that are there."""
    prefix = tenant.slug.replace("-", "").upper()[:PREFIX_LENGTH]
    BillingSettings.objects.get_or_create(pk=1, defaults={"legal_name": tenant.name, "number_prefix": prefix})
    return {}
