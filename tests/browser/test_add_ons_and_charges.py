"""What is billed beside the plan: an add-on is sold, something is charged once, usage is billed at a threshold."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.catalog.models import Plan
from apps.core import clock
from apps.invoices.models import Invoice
from apps.invoices.services.bill_thresholds import bill_thresholds
from tests.admin.business import Business
from tests.browser.test_invoices import look
from tests.scenarios.lifecycle.words import base, sell

Work = Callable[[Callable[[], Any]], Any]

pytestmark = pytest.mark.browser


def offer() -> None:
    sell("care", base("12", is_per_seat=True, code="care"), kind=Plan.Kind.ADD_ON)


def page_of(business: Business) -> str:
    return f"/admin/subscriptions/subscription/{business.subscription.pk}/change/"


def choose(page: Page, menu: str, item: str) -> None:
    page.locator("#header-inner li").filter(has_text=menu).first.click()
    page.locator(f'a:has(> span[title="{item}"])').click()


def test_an_add_on_is_sold_and_something_is_charged_once(
    page: Page, business: Business, at_acme: Work
) -> None:
    at_acme(offer)
    page.goto(page_of(business))
    choose(page, "Add-ons", "Attach")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    page.get_by_label("Add-on").select_option(label="Care")
    page.get_by_label("Quantity").fill("2")
    page.get_by_label("At a certain time").check()
    page.get_by_label("At", exact=True).fill(f"{business.this_month:%Y-%m-%dT%H:%M}")
    page.get_by_label("Reason").fill("They asked for it")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".ch-invoice-total")).to_contain_text("+$24.00")
    expect(page.locator(".ch-compare").last).to_contain_text("Care")
    look(page, "add-on-preview")
    page.get_by_role("button", name="Attach it").click()
    expect(page.get_by_text("The add-on is attached.")).to_be_visible()
    add_ons = page.locator("section").filter(has=page.get_by_role("heading", name="Add-ons"))
    expect(add_ons).to_contain_text("Care v1")
    expect(add_ons).to_contain_text("until it is detached")
    look(page, "add-on-sold")

    page.get_by_role("link", name="Charge something").click()
    page.get_by_label("Description").fill("Workshop")
    page.get_by_label("Quantity").fill("2")
    page.get_by_label("Amount for one").fill("1250")
    page.get_by_label("At once", exact=False).check()
    page.get_by_label("Reason").fill("Ordered")
    page.get_by_role("button", name="Preview").click()
    facts = page.locator(".ch-facts")
    expect(facts).to_contain_text("$1,250.00")
    expect(facts).to_contain_text("$2,500.00")
    look(page, "charge-preview")
    page.get_by_role("button", name="Charge it").click()
    expect(page.get_by_text("It is charged to Chat Assistant.")).to_be_visible()
    charges = page.locator("section").filter(has=page.get_by_role("heading", name="One-off charges"))
    expect(charges).to_contain_text("Drafted")
    charges.get_by_role("link", name="Draft", exact=True).click()
    page.get_by_role("link", name="Finalize now").click()
    page.get_by_role("button", name="Finalize the invoice").click()
    invoice = page.get_by_role("article", name="Invoice")
    for words in ("One-off charge", "Workshop", "USD 1,250.00", "$2,500.00"):
        expect(invoice).to_contain_text(words)
    look(page, "charge-invoice")
    page.goto(page_of(business))
    expect(charges).to_contain_text("Invoiced")


def test_usage_is_billed_at_a_threshold(page: Page, business: Business, at_acme: Work) -> None:
    """3.50 of this month are unbilled."""
    page.goto(page_of(business))
    choose(page, "More", "Threshold")
    page.get_by_label("Threshold").fill("three")
    page.get_by_label("Reason").fill("A new customer")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("Enter a number.")).to_be_visible()
    page.get_by_label("Threshold").fill("3")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".ch-facts")).to_contain_text("$3.00")
    look(page, "threshold-preview")
    page.get_by_role("button", name="Set the threshold").click()
    expect(page.get_by_text("Usage is billed at $3.00 unbilled.").first).to_be_visible()
    expect(page.get_by_text("$3.50").first).to_be_visible()

    at_acme(lambda: bill_thresholds(clock.now()))
    draft = at_acme(lambda: Invoice.objects.get(kind="threshold"))
    page.goto("/admin/invoices/invoice/?kind__exact=threshold")
    expect(page.locator("#result_list")).to_contain_text("Threshold reached")
    page.goto(f"/admin/invoices/invoice/{draft.pk}/change/")
    invoice = page.get_by_role("article", name="Invoice")
    for words in ("Threshold reached", "billed before the period is over", "$3.50"):
        expect(invoice).to_contain_text(words)
    look(page, "threshold-invoice")
