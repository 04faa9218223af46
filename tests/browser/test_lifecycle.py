"""A change in the middle of a period: looked at, made, billed; from the invoice to its events; void and reissue."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core import clock
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.subscriptions.models import Subscription
from tests.admin.business import Business
from tests.browser.test_invoices import look
from tests.harness.factories import flat, make_plan, per_unit

Work = Callable[[Callable[[], Any]], Any]

pytestmark = pytest.mark.browser


def offer() -> None:
    make_plan("pro", [flat("149.00"), per_unit("input_tokens", "0.000002")])


def close(business: Business) -> str:
    """The open period is over; its invoice is issued."""
    subscription = Subscription.objects.get(pk=business.subscription.pk)
    finalize_invoice(invoice=business.draft, now=clock.now())
    start, end = subscription.open_period.start, subscription.open_period.end
    close_due_periods(end)
    invoice = Invoice.objects.get(subscription=subscription, period_start=start, kind="cycle")
    return str(finalize_invoice(invoice=invoice, now=end).number)


def test_a_plan_is_changed_in_the_middle_of_a_period(page: Page, business: Business, at_acme: Work) -> None:
    at_acme(offer)
    page.goto(f"/admin/customers/customer/{business.customer.pk}/change/")
    look(page, "lifecycle-customer")
    page.get_by_role("link", name="Payg v1").first.click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    look(page, "lifecycle-subscription")
    page.get_by_role("link", name="Change plan or seats").click()
    look(page, "lifecycle-form")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    look(page, "lifecycle-refused")
    page.get_by_label("Plan", exact=True).select_option(label="Pro")
    page.get_by_label("Now", exact=True).check()
    page.get_by_label("Reason").fill("They asked for it")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("The customer owes", exact=False)).to_be_visible()
    look(page, "lifecycle-preview")
    page.get_by_role("button", name="Make the change").click()
    expect(page.get_by_text("The change is on the timeline")).to_be_visible()
    expect(page.locator(".ch-timeline")).to_contain_text("Pro v1")
    expect(page.get_by_text("“They asked for it”")).to_be_visible()
    look(page, "lifecycle-changed")

    number = at_acme(lambda: close(business))
    page.reload()
    page.get_by_role("link", name=number).first.click()
    look(page, "lifecycle-invoice")
    page.get_by_role("link", name="1 event behind it").first.click()
    expect(page.locator(".ch-table")).to_contain_text("call-2")
    page.get_by_role("link", name=number).first.click()
    page.get_by_role("link", name="Reissue").first.click()
    page.get_by_label("Reason").fill("A new address")
    page.get_by_role("button", name="Void and reissue").click()
    expect(page.get_by_text("is void; a new draft says")).to_be_visible()


def test_a_subscription_is_cancelled_and_taken_back(page: Page, business: Business) -> None:
    path = f"/admin/subscriptions/subscription/{business.subscription.pk}/change/"
    page.goto(path)
    page.get_by_role("link", name="Cancel").first.click()
    page.get_by_label("When the paid period ends", exact=False).check()
    page.get_by_label("Nothing comes back").check()
    page.get_by_label("Reason").fill("They leave")
    page.get_by_role("button", name="Preview").click()
    look(page, "lifecycle-cancel")
    page.get_by_role("button", name="Cancel the subscription").click()
    expect(page.get_by_text("Cancelled").first).to_be_visible()
    look(page, "lifecycle-cancelled")
    page.get_by_role("link", name="Reactivate").click()
    page.get_by_label("Reason").fill("They stay")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Reactivate it").click()
    expect(page.get_by_text("goes on.").first).to_be_visible()
    page.goto("/admin/subscriptions/subscription/add/")
    look(page, "lifecycle-add")
    page.goto("/admin/subscriptions/subscription/import/")
    look(page, "lifecycle-import")
