"""What people read on the pages of billing: zones, currencies, seats, numbers of things, and the way back."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.catalog.admin.wording import every_text
from apps.catalog.models import Plan
from apps.core.admin.display import amount_text, counted, period_text, rate_text
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.subscriptions.services.add_ons import attach_add_on
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.scenarios.lifecycle.words import base, sell

SUBSCRIPTION = "subscriptions.subscription"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "zone", "words"),
    [
        ("2026-01-01", "2026-02-01", "UTC", "1 – 31 Jan 2026"),
        ("2026-01-05 12:30", "2026-02-01", "UTC", "5 Jan 2026, 12:30 – 1 Feb 2026, 00:00 UTC"),
        ("2026-09-01", "2026-09-30 22:00", "Europe/Berlin", "1 Sep 2026, 02:00 – 1 Oct 2026, 00:00 CEST"),
        # The clocks change in between.
        ("2026-10-01", "2026-10-31 23:00", "Europe/Berlin", "1 Oct 2026, 02:00 CEST – 1 Nov 2026, 00:00 CET"),
        ("2026-01-05 12:30", "2026-01-05 12:30", "UTC", "5 Jan 2026, 12:30 UTC"),
    ],
)
def test_a_period_with_hours_names_its_zone(start: str, end: str, zone: str, words: str) -> None:
    assert period_text(at(start), at(end), zone) == words


def test_amounts_are_grouped_and_have_the_decimals_of_their_currency() -> None:
    assert rate_text(Decimal(1250), "USD") == "USD 1,250.00"
    assert rate_text(Decimal(49000), "JPY") == "JPY 49,000"
    assert rate_text(Decimal("0.0000025"), "USD") == "USD 0.0000025"
    assert amount_text(Decimal("1E+3"), "USD") == "$1,000.00"
    assert amount_text(Decimal("0.125"), "USD") == "USD 0.125"
    assert [counted(one, "draft") for one in (0, 1, 1200)] == ["0 drafts", "1 draft", "1,200 drafts"]


def test_a_list_is_called_what_it_lists(olga: Staff, business: Business) -> None:
    for name, title in {
        "customers.customer": "Customers",
        "invoices.oneoffcharge": "One-off charges",
        "auth.group": "Roles",
    }.items():
        content = olga.get(page(name, "changelist")).content.decode()
        assert re.search(r"<title>\s*(.*?)\s*\|", content)[1] == title, name  # type: ignore[index]


def test_an_empty_list_says_how_rows_come_about(stan: Staff) -> None:
    """Globex has billed nothing yet."""
    for name, words in {
        "invoices.oneoffcharge": "A charge is made on the page of a subscription.",
        "invoices.parkedsubscription": "Every subscription can be billed.",
        "invoices.billingrun": "Nothing was due yet.",
        "invoices.invoice": "The first invoice is drafted",
    }.items():
        assert words in stan.get(page(name, "changelist")).content.decode(), name


def test_seats_stand_on_the_invoice(olga: Staff, business: Business) -> None:
    """Two seats at 12.00, added a month ago: the line says so, and so does the price in the catalog."""
    care = sell("care", base("12", is_per_seat=True, code="care"), kind=Plan.Kind.ADD_ON)
    business.subscription.refresh_from_db()
    attach_add_on(
        subscription=business.subscription, plan_version=care, quantity=2, when="date",
        at=business.subscription.invoiced_until, now=business.subscription.invoiced_until,
    )  # fmt: skip
    business.subscription.refresh_from_db()
    close_due_periods(business.subscription.next_boundary_at)
    invoice = Invoice.objects.latest("id")
    olga.get("/admin/")  # signs in
    response = olga.get(page("invoices.invoice", "change", invoice.pk))
    [line] = [one for one in response.context["document"]["lines"] if one["plan"] == "Care v1"]
    assert (line["quantity"], line["unit_price"], line["amount"]) == ("2", "USD 12.00 a seat", "$24.00")
    fee = next(one for one in response.context["document"]["lines"] if one["description"] == "Base fee")
    assert (fee["quantity"], fee["unit_price"]) == ("–", "–")
    assert b"USD 12.00 a seat a period" in olga.get(page("catalog.planversion", "change", care.pk)).content


def test_what_was_typed_is_told_with_its_currency(olga: Staff, business: Business) -> None:
    olga.get("/admin/")  # signs in
    given = {"amount": "1000", "reason": "A new customer"}
    seen = olga.post(page(SUBSCRIPTION, "set_threshold", business.subscription.pk), given)
    assert dict(seen.context["chosen"])["Threshold"] == "$1,000.00"


def test_pages_about_a_customer_lead_back_to_it(olga: Staff, business: Business) -> None:
    olga.get("/admin/")  # signs in
    for path in (
        page("invoices.legalentity", "terms", business.customer.pk),
        page(SUBSCRIPTION, "bill_to_parent", business.customer.pk),
    ):
        context = olga.get(path).context
        assert (context["original"], context["opts"].model_name) == (business.customer, "customer"), path
    close = olga.get(page("invoices.billingrun", "close", business.subscription.pk))
    assert close.context["back"] == page(SUBSCRIPTION, "change", business.subscription.pk)


def test_a_frozen_version_says_its_intervals_in_words(olga: Staff, business: Business) -> None:
    version = business.subscription.plan_version
    content = olga.get(page("catalog.planversion", "change", version.pk)).content.decode()
    assert "So many" not in content
    assert "Every month" in content
    assert "As the fees" in content
    version.interval_count = 3
    assert every_text(version.interval_unit, version.interval_count) == "Every 3 months"


def test_nothing_parked_is_nothing_to_release(olga: Staff, business: Business) -> None:
    olga.get("/admin/")  # signs in
    response = olga.get(page("invoices.parkedsubscription", "release_all"), follow=True)
    assert "there is nothing to release" in response.content.decode()


def test_a_parked_draft_is_called_so_wherever_invoices_are_listed(olga: Staff, business: Business) -> None:
    Invoice.objects.filter(pk=business.draft.pk).update(parked_at=business.this_month)
    assert '<span class="ch-badge ch-danger">Parked</span>' in olga.get("/admin/").content.decode()
    for name, pk in (("customers.customer", business.customer.pk), (SUBSCRIPTION, business.subscription.pk)):
        content = olga.get(page(name, "change", pk)).content.decode()
        assert '<span class="ch-badge ch-danger">Parked</span>' in content, name
