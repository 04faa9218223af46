"""Usage has somebody to count for: customer chat on the default plan, at acme."""

import pytest

from apps.customers.models import Customer
from apps.tenants.models import Tenant
from tests.harness.factories import make_customer, make_plan


@pytest.fixture
def chat(in_acme: Tenant) -> Customer:
    customer = make_customer("chat")
    make_plan()
    return customer
