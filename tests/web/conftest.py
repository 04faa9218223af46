"""The front door over real sockets: acme with a customer and a plan, and a client with its key."""

from collections.abc import Iterator

import httpx
import pytest

from apps.tenants.models import Tenant
from tests.harness.cast import KEYS
from tests.harness.factories import make_customer, make_plan
from tests.harness.server import WebServer


@pytest.fixture
def open_for_business(in_acme: Tenant) -> Tenant:
    make_customer()
    make_plan()
    return in_acme


@pytest.fixture
def client(web: WebServer, open_for_business: Tenant) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEYS['acme']}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{web.port}/api/v1", headers=headers, timeout=30) as client:
        yield client
