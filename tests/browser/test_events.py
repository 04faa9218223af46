"""Support follows one call: from the list to what it counted for, the invoice it stands on, and its revision."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core import clock
from apps.usage.services.corrections.amend_event import amend_event
from tests.admin.business import Business

Work = Callable[[Callable[[], Any]], Any]

pytestmark = pytest.mark.browser


def test_a_call_is_followed_to_its_invoice_and_its_revision(
    page: Page, business: Business, at_acme: Work
) -> None:
    at_acme(
        lambda: amend_event(
            event_id="call-0", changes={"properties": {"input_tokens": 7}}, reason="Cached", now=clock.now()
        )
    )
    page.goto("/admin/usage/usageevent/?q=call-0")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    rows.filter(has_not_text="Revision 1").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="What it had counted for")).to_be_visible()
    expect(page.get_by_text("The next invoice takes it back.").first).to_be_visible()
    expect(page.get_by_text("“Cached”").first).to_be_visible()
    page.get_by_role("link", name="Revision 1").click()
    expect(page.locator("pre.ch-raw")).to_contain_text('"input_tokens": 7')
    expect(page.get_by_role("heading", name="As it was amended")).to_be_visible()
    page.get_by_role("link", name="As it was sent").click()
    page.get_by_role("link", name=business.open_invoice.number).first.click()
    expect(page.get_by_role("article", name="Invoice")).to_contain_text("$52.50")


def test_the_home_page_leads_to_what_waits(page: Page, business: Business) -> None:
    expect(page.locator("#ingestion")).to_contain_text("Events a second")
    expect(page.locator("#ingestion svg")).to_have_count(2)
    page.get_by_role("link", name="In quarantine").click()
    expect(page.get_by_text("Money at risk")).to_be_visible()
    page.locator(".ch-tally tr", has_text="nobody-yet").get_by_role("link", name="Replay").click()
    expect(page.locator(".ch-facts")).to_contain_text("nobody-yet")
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("0 events replayed; 2 still waiting.")).to_be_visible()
