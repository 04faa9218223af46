"""Invoices of every price model, of the start of a subscription, and the usage that no price takes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.catalog.services.plans import NewPrice
from apps.invoices.models import Invoice
from apps.invoices.services.bill_thresholds import bill_thresholds
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.set_billing_threshold import set_billing_threshold
from apps.tenants.models import Tenant
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import (
    an_event,
    flat,
    make_customer,
    make_meter,
    make_plan,
    make_subscription,
    report,
)

START = datetime(2025, 12, 1, tzinfo=UTC)
TIERS = [{"up_to": "10", "unit_amount": "3"}, {"up_to": None, "unit_amount": "1.5"}]


@pytest.fixture
def subscription(in_sandbox: Tenant) -> Subscription:
    """December is over: 20 units of gpt-5 at tiers, 5 of another model that has no price."""
    make_meter("tokens", event_name="use", dimensions=["model"])
    make_meter("calls", event_name="use", aggregation="count", unit="call")
    version = make_plan(
        prices=[
            flat("49.00"),
            NewPrice("setup", "Set-up", "flat", flat_amount="10", billing_timing="once"),
            NewPrice("t", "Tokens", "graduated", "tokens", filters={"model": ["gpt-5"]}, more={"tiers": TIERS}),
            NewPrice("c", "Calls", "package", "calls", unit_amount="1.5", more={"package_size": "100"}),
        ]
    )  # fmt: skip
    made = make_subscription(make_customer("chat", name="Chat"), version, started_at=START)
    report(
        *(
            an_event(
                name,
                event="use",
                timestamp=(START + timedelta(days=2)).isoformat(),
                properties={"tokens": tokens, "model": model},
            )
            for name, tokens, model in (("a", 20, "gpt-5"), ("b", 5, "llama"))
        )
    )
    return made


@pytest.fixture
def draft(subscription: Subscription) -> Invoice:
    close_due_periods(datetime(2026, 1, 1, tzinfo=UTC))
    return Invoice.objects.get(kind=Invoice.Kind.CYCLE)


def test_a_draft_shows_usage_that_no_price_takes(sandra: Staff, draft: Invoice) -> None:
    response = sandra.get(page("invoices.invoice", "change", draft.pk))
    ((row),) = response.context["unpriced"]
    assert (str(row["meter"]), row["dimensions"], row["quantity"], row["event_count"], row["period"]) == (
        "Tokens", "model = llama", "5", 1, "1 – 31 Dec 2025",
    )  # fmt: skip
    assert "Usage no price takes" in response.content.decode()


def test_lines_say_how_they_are_priced(sandra: Staff, draft: Invoice) -> None:
    lines = sandra.get(page("invoices.invoice", "change", draft.pk)).context["document"]["lines"]
    assert [
        (line["description"], line["quantity"], line["unit_price"], line["amount"]) for line in lines
    ] == [
        ("Base fee", "–", "–", "$49.00"),
        ("Tokens", "20", "Graduated tiers", "$45.00"),
        ("Calls", "2", "USD 1.50 per 100 calls", "$1.50"),
    ]


def test_an_opening_invoice_says_what_it_is(sandra: Staff, draft: Invoice) -> None:
    opening = Invoice.objects.get(kind=Invoice.Kind.OPENING)
    content = sandra.get(page("invoices.invoice", "change", opening.pk)).content.decode()
    assert "Start of the subscription" in content
    assert "Set-up" in content
    assert "Usage no price takes" not in content
    if opening.is_draft:
        assert "over $10.00?" in sandra.get(page("invoices.invoice", "finalize", opening.pk)).content.decode()


def test_a_customers_page_shows_usage_that_no_price_takes(sandra: Staff, subscription: Subscription) -> None:
    content = sandra.get(page("customers.customer", "change", subscription.customer_id)).content.decode()
    assert "no price takes it" in content
    assert "model = llama" in content


def test_an_issued_invoice_still_shows_it(sandra: Staff, draft: Invoice) -> None:
    for invoice in Invoice.objects.filter(status="draft").order_by("period_end", "-kind"):
        finalize_invoice(invoice=invoice, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert "Usage no price takes" in sandra.get(page("invoices.invoice", "change", draft.pk)).content.decode()


def test_a_timeline_shows_what_is_scheduled(sandra: Staff, subscription: Subscription) -> None:
    later = make_plan("later", [flat("1")])
    subscription.phases.update(ends_at=datetime(2026, 2, 1, tzinfo=UTC))
    subscription.phases.create(plan_version=later, starts_at=datetime(2026, 2, 1, tzinfo=UTC))
    content = sandra.get(page("subscriptions.subscription", "change", subscription.pk)).content.decode()
    for words in ("Timeline", "Current", "Scheduled", "Later v1"):
        assert words in content


def test_an_invoice_of_a_threshold_says_until_when_and_its_cycle_what_it_takes_off(
    sandra: Staff, subscription: Subscription
) -> None:
    """45.00 of tokens and 1.50 of calls reach 40.00 in the afternoon of the 20th."""
    at = datetime(2025, 12, 20, 14, 5, tzinfo=UTC)
    set_billing_threshold(subscription=subscription, amount=Decimal(40), now=at)
    bill_thresholds(at)
    ahead = Invoice.objects.get(kind=Invoice.Kind.THRESHOLD)
    path = page("invoices.invoice", "change", ahead.pk)
    content = sandra.get(path).content.decode()
    for words in ("Threshold reached", "Usage until", "20 Dec 2025, 14:05", "within a minute"):
        assert words in content, words
    finalize_invoice(invoice=ahead, now=at)
    content = sandra.get(path).content.decode()
    assert page("invoices.invoice", "void", ahead.pk) in content
    assert page("invoices.invoice", "reissue", ahead.pk) not in content
    close_due_periods(datetime(2026, 1, 1, tzinfo=UTC))
    draft = Invoice.objects.get(kind=Invoice.Kind.CYCLE)
    response = sandra.get(page("invoices.invoice", "change", draft.pk))
    rows = response.context["document"]["lines"]
    assert [(row["description"], row["badge"], row["amount"]) for row in rows if row["badge"]] == [
        ("Tokens: billed ahead", "Billed ahead", "-$45.00"),
        ("Calls: billed ahead", "Billed ahead", "-$1.50"),
    ]
    ahead.refresh_from_db()
    assert f"billed on {ahead.number}" in response.content.decode()
    listed = sandra.get(page("invoices.invoice", "changelist") + "?kind__exact=threshold").content.decode()
    assert str(ahead.number) in listed
    assert "Threshold reached" in listed
    runs = sandra.get(page("invoices.billingrun", "changelist")).content.decode()
    assert "Thresholds" in runs
