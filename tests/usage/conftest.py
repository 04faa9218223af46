"""Usage has somebody to count for: customer chat on the default plan, at acme."""

from pathlib import Path
from typing import Any

import pytest

from apps.customers.models import Customer
from apps.tenants.models import Tenant
from tests.harness.factories import make_customer, make_plan


@pytest.fixture
def chat(in_acme: Tenant) -> Customer:
    customer = make_customer("chat")
    make_plan()
    return customer


@pytest.fixture
def import_place(settings: Any, tmp_path: Path) -> None:
    """Where uploaded files are kept."""
    settings.USAGE_IMPORT_DIR = tmp_path / "imports"
