"""A morning in the back office, as Olga sees it."""

import pytest
from django_tenants.utils import tenant_context
from playwright.sync_api import Page, expect

from apps.tenants.models import Tenant
from apps.usage.models import UsageEvent
from tests.admin.business import Business
from tests.harness.factories import make_customer

pytestmark = pytest.mark.browser


def test_home_says_whose_it_is_and_that_it_is_live(page: Page) -> None:
    expect(page).to_have_title("Home | Acme · Countinghouse")
    expect(page.locator("#nav-sidebar")).to_contain_text("Acme")
    expect(page.locator("#header-inner")).to_contain_text("Live")
    expect(page.get_by_text("Accrued today")).to_be_visible()
    expect(page.locator("svg.ch-chart")).to_have_count(2)


def test_an_invoice_explains_its_lines_down_to_the_events(page: Page, business: Business) -> None:
    page.get_by_role("link", name=business.open_invoice.number).click()
    invoice = page.get_by_role("article", name="Invoice")
    expect(invoice).to_contain_text("$52.50")
    step = (
        invoice.get_by_text("1,000,000 token × 0.0000025 USD").or_(invoice.get_by_text("0.0000025 USD")).first
    )
    expect(step).to_be_hidden()
    invoice.get_by_text("How this came about").nth(1).click()
    expect(step).to_be_visible()
    invoice.get_by_role("link", name="1 event behind it").first.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text("call-0")


def test_a_draft_is_finalized_after_a_question(page: Page) -> None:
    page.get_by_role("link", name="Draft", exact=True).click()
    page.get_by_role("link", name="Finalize now").click()
    expect(page.get_by_text("Finalize the invoice over $52.50?")).to_be_visible()
    page.get_by_role("button", name="Finalize the invoice").click()
    expect(page.get_by_text("is issued to Chat Assistant")).to_be_visible()
    expect(page.get_by_role("article", name="Invoice")).to_contain_text("Open")
    expect(page.get_by_role("link", name="Finalize now")).to_have_count(0)


def test_quarantine_is_replayed(page: Page, acme: Tenant, business: Business) -> None:
    with tenant_context(acme):
        make_customer("nobody-yet")
    page.get_by_role("link", name="Quarantine").first.click()
    page.get_by_role("link", name="Replay all that wait").click()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("2 events replayed; 1 still waiting.")).to_be_visible()
    with tenant_context(acme):
        assert UsageEvent.objects.filter(event_id__startswith="lost-").count() == 2


def test_marked_events_are_replayed(page: Page, acme: Tenant, business: Business) -> None:
    with tenant_context(acme):
        make_customer("nobody-yet")
    page.goto("/admin/usage/quarantinedevent/?reason__exact=unknown_customer")
    page.locator("#action-toggle").check()
    page.locator("select[name=action]").select_option("replay_selected")
    page.get_by_role("button", name="Run the selected action").click()
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.get_by_text("2 events replayed.")).to_be_visible()


def test_a_new_key_is_shown_once(page: Page) -> None:
    page.goto("/admin/access/apikey/add/")
    page.get_by_label("Name").fill("Browser")
    page.get_by_label("Report usage").check()
    page.get_by_role("button", name="Save").click()
    key = page.locator("#new-key").inner_text()
    assert key.startswith("ch_live_acme_")
    page.get_by_role("link", name="I have stored it").click()
    expect(page.locator("#result_list")).to_contain_text("Browser")
    expect(page.locator("body")).not_to_contain_text(key)


def test_the_dark_look_is_one_key_away(page: Page) -> None:
    before = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    page.keyboard.press("Control+e")
    page.keyboard.press("Control+e")
    expect(page.locator("html")).to_have_class("dark")
    assert page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor") != before
