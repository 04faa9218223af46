"""A morning in the back office, as Olga sees it."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.usage.models import UsageEvent
from tests.admin.business import Business
from tests.harness.factories import make_customer

Work = Callable[[Callable[[], Any]], Any]

pytestmark = pytest.mark.browser


def test_from_home_to_the_events_behind_a_line(page: Page, business: Business) -> None:
    expect(page).to_have_title("Home | Acme · Countinghouse")
    expect(page.locator("#nav-sidebar")).to_contain_text("Acme")
    expect(page.locator("#header-inner")).to_contain_text("Live")
    expect(page.get_by_text("Accrued today")).to_be_visible()
    expect(page.locator("svg.ch-chart:not(.ch-stacked)")).to_have_count(2)

    page.get_by_role("link", name=business.open_invoice.number).click()
    invoice = page.get_by_role("article", name="Invoice")
    expect(invoice).to_contain_text("$52.50")
    explanation = invoice.locator("details").nth(1)
    expect(explanation.get_by_text("Before rounding")).to_be_hidden()
    explanation.get_by_text("How this came about").click()
    expect(explanation.get_by_text("Before rounding")).to_be_visible()

    invoice.get_by_role("link", name="1 event behind it").first.click()
    events = page.locator(".ch-table")
    expect(events).to_contain_text("call-0")
    expect(events).not_to_contain_text("call-1")


def test_a_draft_is_finalized_after_a_question(page: Page) -> None:
    page.get_by_role("link", name="Draft", exact=True).click()
    page.get_by_role("link", name="Finalize now").click()
    expect(page.get_by_text("Finalize the invoice over $52.50?")).to_be_visible()
    page.get_by_role("button", name="Finalize the invoice").click()
    expect(page.get_by_text("is issued to Chat Assistant")).to_be_visible()
    expect(page.get_by_role("article", name="Invoice")).to_contain_text("Open")
    expect(page.get_by_role("link", name="Finalize now")).to_have_count(0)


def test_quarantine_is_replayed(page: Page, at_acme: Work) -> None:
    """First the marked ones, then whatever waits."""
    at_acme(lambda: make_customer("nobody-yet"))
    page.goto("/admin/usage/quarantinedevent/?q=lost-1")
    page.locator("#result_list tbody input.action-select").check()
    page.locator("select[name=action]").select_option("replay_selected")
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("1 event replayed.")).to_be_visible()

    page.get_by_role("link", name="Replay all that wait").click()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("1 event replayed; 1 still waiting.")).to_be_visible()
    assert at_acme(UsageEvent.objects.filter(event_id__startswith="lost-").count) == 2


def test_a_new_key_is_shown_once_by_day_and_by_night(page: Page) -> None:
    background = "body => getComputedStyle(body).backgroundColor"
    before = page.locator("body").evaluate(background)
    page.keyboard.press("Control+e")
    page.keyboard.press("Control+e")
    expect(page.locator("html")).to_have_class("dark")
    assert page.locator("body").evaluate(background) != before

    page.goto("/admin/access/apikey/add/")
    page.get_by_label("Name").fill("Browser")
    page.get_by_label("Report usage").check()
    page.get_by_role("button", name="Save").click()
    key = page.locator("#new-key").inner_text()
    assert key.startswith("ch_live_acme_")
    page.get_by_role("link", name="I have stored it").click()
    expect(page.locator("#result_list")).to_contain_text("Browser")
    expect(page.locator("body")).not_to_contain_text(key)
