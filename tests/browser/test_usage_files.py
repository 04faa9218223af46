"""A file of usage is uploaded, tried, taken in and watched; old events are kept shorter only when that was meant."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.usage.models import UsageImport
from apps.usage.services.imports.run import run_import
from tests.admin.business import Business

pytestmark = pytest.mark.browser

CSV = "id,event,customer,properties.input_tokens\nf1,llm.call,chat,5\nf2,llm.call,chat,x\n"


@pytest.fixture(autouse=True)
def place(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For the server, which starts after this, and for the test."""
    settings.USAGE_IMPORT_DIR = tmp_path / "imports"
    monkeypatch.setenv("USAGE_IMPORT_DIR", str(settings.USAGE_IMPORT_DIR))


def test_a_file_is_taken_in(
    page: Page,
    business: Business,
    at_acme: Callable[[Callable[[], Any]], Any],
    tmp_path: Path,
) -> None:
    page.goto("/admin/usage/usageimport/add/")
    (tmp_path / "events.csv").write_text(CSV)
    page.locator("input[type=file]").set_input_files(tmp_path / "events.csv")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("heading", name="events.csv").first).to_be_visible()
    page.get_by_role("link", name="Dry run").click()
    expect(page.get_by_text("Nothing was stored.")).to_be_visible()
    page.get_by_role("link", name="Back to the import").click()
    page.get_by_role("link", name="Take in").click()
    page.get_by_role("button", name="Take in", exact=True).click()
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "0")

    # The part of the page that shows how far it is follows by itself.
    run = at_acme(lambda: UsageImport.objects.get(file_name="events.csv"))
    at_acme(lambda: run_import(import_id=run.pk))
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100", timeout=10_000)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the report").click()
    assert "f2,rejected" in download.value.path().read_text()


def test_keeping_less_is_asked_about(page: Page, business: Business) -> None:
    page.goto("/admin/usage/usagesettings/")
    page.locator("input[name=backdating_days]").fill("35")
    page.locator("input[name=retention_days]").fill("40")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", name="Keep events for 40 days?").first).to_be_visible()
    page.get_by_role("button", name="Keep them so long").click()
    expect(page.locator("input[name=retention_days]")).to_have_value("40")
    page.goto("/admin/usage/archivedpartition/")
    expect(page.get_by_text("Events are kept for 40 days")).to_be_visible()
