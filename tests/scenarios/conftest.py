"""A customer's life in a sandbox, told through the API, with a clock that is moved."""

import pytest

from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.scenarios.life import Life


@pytest.fixture
def life(in_sandbox: Tenant, sandbox_api: Api) -> Life:
    """It is 2026-01-01T00:00:00Z, and nothing has happened yet."""
    return Life(sandbox_api)
