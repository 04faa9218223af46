"""Usage has somebody to count for: customer chat on the default plan, at acme."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.customers.models import Customer
from apps.tenants.models import Tenant
from apps.usage.services import retention
from tests.harness.factories import an_event, make_customer, make_plan, report
from tests.usage.retained import APRIL, FEBRUARY, JANUARY, MARCH, names


@pytest.fixture
def chat(in_acme: Tenant) -> Customer:
    customer = make_customer("chat")
    make_plan()
    return customer


@pytest.fixture
def import_place(settings: Any, tmp_path: Path) -> None:
    """Where uploaded files are kept."""
    settings.USAGE_IMPORT_DIR = tmp_path / "imports"


@pytest.fixture
def archive_place(settings: Any, tmp_path: Path) -> Path:
    settings.USAGE_ARCHIVE_DIR = tmp_path / "archives"
    return tmp_path / "archives" / "acme"


@pytest.fixture
def no_holds(monkeypatch: pytest.MonkeyPatch) -> dict[str, retention.Hold]:
    holds: dict[str, retention.Hold] = {}
    monkeypatch.setattr(retention, "_holds", holds)
    return holds


@pytest.fixture
def three_months(chat: Customer, no_holds: dict[str, retention.Hold], archive_place: Path) -> Customer:
    """Two events a month, January to March."""
    for month, start in enumerate((JANUARY, FEBRUARY, MARCH), 1):
        report(
            an_event(f"a{month}", timestamp=(start + timedelta(days=4, hours=10)).isoformat()),
            an_event(f"b{month}", timestamp=(start + timedelta(days=9, minutes=30)).isoformat()),
            now=APRIL,
        )
    assert names() == ["202601", "202602", "202603"]
    return chat
