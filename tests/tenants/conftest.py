import pytest
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from tests.tenants.furnished import Furnished, furnish


@pytest.fixture
def furnished(acme: Tenant) -> Furnished:
    """Acme has a row of everything; the test itself stays in the public schema."""
    with tenant_context(acme):
        return furnish(acme)
