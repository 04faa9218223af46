"""The tenant of the benchmark."""

from django.core.management import call_command
from django.db import connections

from apps.tenants.services.provision import ProvisionRequest, provision_tenant

SCHEMA = "bench"


def make(*, is_sandbox: bool = False) -> str:
    """Schemas and a tenant; returns the API key."""
    call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
    request = ProvisionRequest(staff_email="bench@bench.example")
    answer = provision_tenant(slug=SCHEMA, is_sandbox=is_sandbox, request=request)
    connections.close_all()
    key: str = answer["api_key"]
    return key
