"""An invoice that was wrong: from the queue of parked drafts to its events, and from void to reissue."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core import clock
from apps.invoices.models import BillingSettings, Invoice
from apps.invoices.services import change_draft
from tests.admin.business import Business

Work = Callable[[Callable[[], Any]], Any]
# A folder for pictures of what the test sees, by day and by night; none are made otherwise.
PICTURES = os.environ.get("COUNTINGHOUSE_PICTURES", "")

pytestmark = pytest.mark.browser


def look(page: Page, name: str) -> None:
    if not PICTURES:
        return
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.classList.toggle('dark', theme === 'dark')", theme)
        page.screenshot(path=Path(PICTURES) / f"{name}-{theme}.png", full_page=True)
    page.evaluate("document.documentElement.classList.remove('dark')")


def park(business: Business) -> None:
    BillingSettings.objects.update(brake_on_lines_above=1)
    change_draft.refresh_draft(invoice=business.draft, now=clock.now())


def test_a_parked_draft_is_released(page: Page, business: Business, at_acme: Work) -> None:
    at_acme(lambda: park(business))
    page.goto("/admin/")
    look(page, "home")
    page.get_by_role("link", name="Parked drafts").click()
    expect(page.get_by_text("3 lines, more than 1.")).to_be_visible()
    look(page, "parked")
    page.get_by_role("link", name="Chat Assistant").click()
    expect(page.get_by_text("It is not finalized until somebody releases it.")).to_be_visible()
    look(page, "draft")
    page.locator(".ch-note-box").get_by_role("link", name="Release").click()
    expect(page.get_by_text("Release the draft over $52.50?")).to_be_visible()
    look(page, "release")
    page.get_by_label("Reason").fill("Three lines are fine")
    page.get_by_role("button", name="Release it").click()
    expect(page.get_by_text("The draft over $52.50 is released.")).to_be_visible()
    page.get_by_role("link", name="Finalize now").click()
    page.get_by_role("button", name="Finalize the invoice").click()
    expect(page.get_by_text("is issued to Chat Assistant")).to_be_visible()
    expect(page.get_by_text("Released: Three lines are fine")).to_be_visible()


def test_void_and_reissue(page: Page, business: Business, at_acme: Work) -> None:
    page.goto(f"/admin/invoices/invoice/{business.open_invoice.pk}/change/")
    look(page, "open")
    page.get_by_role("link", name="1 event behind it").first.click()
    expect(page.locator(".ch-table")).to_contain_text("call-0")
    look(page, "events")
    page.get_by_role("link", name=business.open_invoice.number).first.click()
    page.get_by_role("link", name="Reissue").first.click()
    look(page, "reissue")
    page.get_by_label("Reason").fill("Wrong address")
    page.get_by_role("button", name="Void and reissue").click()
    expect(page.get_by_text("is void; a new draft says $52.50.")).to_be_visible()
    expect(page.locator(".ch-note-box").get_by_text("Wrong address")).to_be_visible()
    look(page, "void")
    page.get_by_role("link", name="Draft for Chat Assistant").click()
    expect(page.get_by_text("It takes the place of")).to_be_visible()
    look(page, "reissued")
    assert at_acme(lambda: Invoice.objects.get(pk=business.open_invoice.pk).status) == "void"
    for name, path in {
        "list": "invoices/invoice/",
        "entity": "invoices/legalentity/",
        "settings": "invoices/billingsettings/1/change/",
        "terms": f"invoices/legalentity/terms/{business.customer.pk}/",
        "customer": f"customers/customer/{business.customer.pk}/change/",
    }.items():
        page.goto(f"/admin/{path}")
        look(page, name)
