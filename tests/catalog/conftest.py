"""Meters that prices can be for."""

import pytest

from apps.catalog.models import Meter
from apps.tenants.models import Tenant
from tests.harness.factories import make_meter


@pytest.fixture
def tokens(in_acme: Tenant) -> Meter:
    return make_meter("tokens", dimensions=["model", "region"])
