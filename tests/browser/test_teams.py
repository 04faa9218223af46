"""A parent pays for its team from an instant on, and its invoice says who used what."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core import clock
from apps.customers.models import Customer
from tests.admin.business import Business
from tests.browser.test_invoices import look
from tests.browser.test_lifecycle import close
from tests.harness.factories import an_event, make_customer, report

Work = Callable[[Callable[[], Any]], Any]

pytestmark = pytest.mark.browser


def research(business: Business) -> Customer:
    """A team that used four times as many input tokens this month as its organization."""
    team = make_customer("research", name="Research", parent=business.customer)
    now = clock.now()
    report(
        an_event(
            "team-1", customer="research", timestamp=now.isoformat(), properties={"input_tokens": 4_000_000}
        ),
        now=now,
    )
    return team


def test_a_team_is_billed_to_its_parent(page: Page, business: Business, at_acme: Work) -> None:
    """5,000,000 input tokens cost 12.50, of which 10.00 are the team's."""
    team = at_acme(lambda: research(business))
    page.goto(f"/admin/customers/customer/{team.pk}/change/")
    expect(page.get_by_text("A team under Chat Assistant that pays for itself", exact=False)).to_be_visible()
    page.get_by_role("link", name="Bill to Chat Assistant").click()
    expect(page.locator("h1")).to_contain_text("Research")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    page.get_by_label("At a certain time").check()
    page.get_by_label("At", exact=True).fill(f"{business.this_month:%Y-%m-%dT%H:%M}")
    page.get_by_label("Reason").fill("One contract")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".ch-facts")).to_contain_text("$52.50 now, $62.50 with it")
    look(page, "team-preview")
    page.get_by_role("button", name="Bill it to the parent").click()
    expect(page.get_by_text("Research is billed to Chat Assistant from", exact=False)).to_be_visible()
    look(page, "team-billed")

    number = at_acme(lambda: close(business))
    page.get_by_role("link", name="Chat Assistant").first.click()
    expect(page.get_by_text("Billed here", exact=True)).to_be_visible()
    look(page, "team-parent")
    page.get_by_role("link", name=number).first.click()
    shares = page.locator(".ch-team-row").filter(has_text="Research")
    expect(shares.first).to_contain_text("4,000,000")
    expect(shares.first).to_contain_text("$10.00")
    look(page, "team-invoice")
