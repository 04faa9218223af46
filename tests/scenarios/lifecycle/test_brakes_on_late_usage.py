"""Brakes where usage is looked at again: late usage after the end, and beside a subscription that has ended."""

import pytest

from apps.catalog.services.plans import NewPrice
from apps.invoices.models import BillingSettings, Invoice
from apps.invoices.services.bill_late_after_end import bill_late_after_end
from apps.invoices.services.change_draft import release_invoice
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.subscribe import subscribe
from apps.tenants.models import Tenant
from tests.harness.factories import an_event, make_meter, report
from tests.scenarios.lifecycle.words import at, bills, calls, fresh, run, sell, start


def used(event_id: str, day: str, event: str = "llm.call", now: str = "2026-04-12") -> str:
    [verdict] = report(
        an_event(event_id, event=event, timestamp=f"{day}T00:00:00Z", properties={}), now=at(now)
    )
    return str(verdict.status)


@pytest.fixture
def ended(in_acme: Tenant) -> Subscription:
    """1.00 a call from 1 to 10 April, billed without any; a call of the 4th comes on the 12th."""
    make_meter("calls", aggregation="count", unit="call")
    make_meter("pages", aggregation="count", unit="page", event_name="page.read")
    subscription = start(sell("a", calls("1")), at("2026-04-01"))
    cancel(subscription=subscription, when="date", at=at("2026-04-10"), unused="credit", now=at("2026-04-09"))
    run(at("2026-04-10"))
    assert used("late", "2026-04-04") == "accepted"
    return fresh(subscription)


def billed_late(subscription: Subscription) -> Invoice:
    draft = bill_late_after_end(subscription=subscription, reason="it was used", now=at("2026-04-13"))
    finalize_due_invoices(at("2026-04-15"))
    return Invoice.objects.get(pk=draft.pk)


def test_late_usage_alone_is_issued(ended: Subscription) -> None:
    BillingSettings.objects.update(brake_on_quarantine=True, brake_on_unpriced=True)
    used("elsewhere", "2026-04-11", "nobody.knows")  # after the end: no usage of the subscription
    issued = billed_late(ended)
    assert (issued.status, issued.total) == ("open", 1)


def test_late_usage_waits_for_events_in_quarantine(ended: Subscription) -> None:
    BillingSettings.objects.update(brake_on_quarantine=True)
    assert used("odd", "2026-04-05", "nobody.knows") == "quarantined"
    draft = billed_late(ended)
    assert (draft.status, [one.brake for one in draft.park_reasons.all()]) == ("draft", ["quarantine"])


def test_late_usage_that_no_price_takes_is_shown_once(ended: Subscription) -> None:
    BillingSettings.objects.update(brake_on_unpriced=True)
    used("page", "2026-04-05", "page.read")
    draft = billed_late(ended)
    assert [(one.brake, one.words) for one in draft.park_reasons.all()] == [
        ("unpriced", "No price takes 1 event of pages.")
    ]
    release_invoice(invoice=draft, reason="a gift", total=draft.total, now=at("2026-04-15"))
    assert finalize_due_invoices(at("2026-04-15")) == 1
    # What was seen is not told again.
    used("later", "2026-04-06")
    again = bill_late_after_end(subscription=ended, reason="one more", now=at("2026-04-16"))
    assert (again.total, again.unpriced) == (1, [])


def test_usage_that_an_ended_subscription_billed_is_no_other_s(in_acme: Tenant) -> None:
    """One subscription bills calls until the end of February, the other pages. The calls stay those of the first."""
    make_meter("calls", aggregation="count", unit="call")
    make_meter("pages", aggregation="count", unit="page", event_name="page.read")
    BillingSettings.objects.update(brake_on_unpriced=True)
    first = start(sell("a", calls("1")), at("2026-01-01"))
    pages = NewPrice(code="pages", name="Pages", model="per_unit", meter="pages", unit_amount="1")
    subscribe(
        customer=first.customer,
        plan_version=sell("b", pages),
        started_at=at("2026-01-01"),
        now=at("2026-01-01"),
    )
    used("january", "2026-01-05", now="2026-01-06")
    used("february", "2026-02-05", now="2026-02-06")
    cancel(subscription=fresh(first), when="period_end", unused="credit", now=at("2026-02-10"))
    for month in ("2026-02-01", "2026-03-01", "2026-04-01"):
        run(at(month))
    assert bills() == [
        ("26-01-01", "26-02-01", "1.00"), ("26-01-01", "26-02-01", "0.00"),
        ("26-02-01", "26-03-01", "1.00"), ("26-02-01", "26-03-01", "0.00"),
        ("26-03-01", "26-04-01", "0.00"),
    ]  # fmt: skip
    assert not Invoice.objects.exclude(unpriced=[]).exists()
    assert set(Invoice.objects.values_list("status", flat=True)) == {"open"}
    # What comes after its end is billed by nobody, and so it is told.
    used("march", "2026-03-05")
    used("april", "2026-04-05")
    run(at("2026-05-01"))
    [april] = Invoice.objects.exclude(unpriced=[])
    assert (april.is_parked, [row["period_start"][:10] for row in april.unpriced]) == (
        True,
        ["2026-04-01", "2026-03-01"],
    )
