"""A run of closing while it goes on and when it is over, and what it left parked until somebody releases it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from apps.core import clock
from apps.invoices.models import BillingRun
from apps.invoices.services.close_periods import close_due_periods
from tests.admin.business import Business
from tests.browser.test_invoices import look
from tests.harness.factories import flat, make_customer, make_plan, make_subscription
from tests.invoices.refusing import MESSAGE, refusing

Work = Callable[[Callable[[], Any]], Any]

pytestmark = pytest.mark.browser


def half_done(business: Business) -> None:
    """Two subscriptions are a month behind, and a run has begun that has told of one more."""
    version = make_plan("base", [flat("31")])
    for name in ("first", "second"):
        make_subscription(make_customer(name), version, started_at=business.draft.period_start)
    now = clock.real_now()
    BillingRun.objects.create(
        kind="closing", due_until_at=clock.now(), due_count=3, billed_count=1, started_at=now, updated_at=now
    )


def park(business: Business, monkeypatch: pytest.MonkeyPatch) -> None:
    version = make_plan("fixed", [flat("31")])
    stuck = make_subscription(make_customer("stuck"), version, started_at=business.draft.period_start)
    with refusing(stuck, monkeypatch):
        close_due_periods(clock.now() + timedelta(seconds=1))


def progress(page: Page) -> Locator:
    return page.locator("fieldset").filter(has_text="Still due")


def test_a_run_is_watched_and_what_it_parked_is_released(
    page: Page, business: Business, at_acme: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_acme(lambda: half_done(business))
    page.goto("/admin/")
    page.get_by_role("link", name="Billing runs").click()
    expect(page).to_have_title("Billing runs | Acme · Countinghouse")
    expect(page.locator("#result_list")).to_contain_text("Running")
    page.locator("#result_list .field-started_at_shown a").first.click()
    expect(progress(page)).to_contain_text(re.compile(r"Subscriptions due\s*3\s*Still due\s*2"))
    look(page, "run-running")
    at_acme(lambda: close_due_periods(clock.now()))
    page.reload()
    expect(progress(page)).to_contain_text(re.compile(r"Still due\s*0"))
    page.goto("/admin/invoices/billingrun/")
    expect(page.locator("#result_list")).to_contain_text("$62.00")
    look(page, "runs")

    at_acme(lambda: park(business, monkeypatch))
    page.goto("/admin/")
    page.locator(".ch-figure").filter(has_text="Parked subscriptions").click()
    row = page.locator("#result_list tr").filter(has_text="Stuck")
    expect(row).to_contain_text(MESSAGE)
    look(page, "queue")
    row.get_by_role("link", name="Stuck").click()
    look(page, "queue-one")
    page.get_by_role("link", name="Release and bill now").click()
    page.get_by_role("button", name="Bill it").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    page.get_by_label("Reason").fill("The price is mended")
    page.get_by_role("button", name="Bill it").click()
    expect(page.get_by_text("1 invoice is made for Stuck.")).to_be_visible()
    expect(page.get_by_text("Released").first).to_be_visible()
    page.get_by_role("link", name="Stuck on Fixed v1").click()
    expect(page.get_by_text("$31.00").first).to_be_visible()
