"""What happens exactly where the last invoice ended: a new schedule, a cancellation."""

from decimal import Decimal

import pytest

from apps.catalog.services.plans import NewPrice
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.invoices.services.late_after_end import late_after_end
from apps.invoices.services.void_invoice import reissue_invoice, void_invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.change_subscription import change_subscription
from apps.tenants.models import Tenant
from tests.harness.factories import an_event, make_meter, report
from tests.scenarios.lifecycle.words import at, base, lines, run, sell, start

YEARLY = {"interval_count": 12, "usage_interval_unit": "month", "usage_interval_count": 1}
# From 1 January to 1 June are 151 of 365 days: 1200 × 151/365 = 496.44 are used and 703.56 are not.
USED, UNUSED = Decimal("496.44"), Decimal("703.56")


def billed() -> Decimal:
    return sum((one.total for one in Invoice.objects.exclude(status="void")), Decimal(0))


def to_monthly(timing: str, subscription: Subscription) -> None:
    """At 15:00 of 1 June; in days that is the midnight before, where May ended."""
    monthly = sell("mo", base("100", timing), proration="day")
    change_subscription(
        subscription=subscription, plan_version=monthly, when="now", now=at("2026-06-01 15:00")
    )


def a_year(timing: str) -> Subscription:
    return start(sell("pro", base("1200", timing), **YEARLY, proration="day"), at("2026-01-01"))


def test_the_unused_part_of_a_year_comes_back(in_acme: Tenant) -> None:
    subscription = a_year("advance")
    run(at("2026-06-01"))
    to_monthly("advance", subscription)
    run(at("2026-07-01"))
    assert lines() == [
        ("credit", "Base: unused part", f"-{UNUSED}"),
        ("flat", "Base", "100.00"),  # June
        ("flat", "Base", "100.00"),  # July
    ]
    run(at("2026-08-01"))
    assert lines() == [("flat", "Base", "100.00")]
    assert billed() == USED + 300


def test_the_used_part_of_a_year_is_billed(in_acme: Tenant) -> None:
    subscription = a_year("arrears")
    run(at("2026-06-01"))
    to_monthly("arrears", subscription)
    run(at("2026-07-01"))
    assert lines() == [("flat", "Base", str(USED)), ("flat", "Base", "100.00")]
    run(at("2026-08-01"))
    assert lines() == [("flat", "Base", "100.00")]
    assert billed() == USED + 200


@pytest.mark.parametrize(("timing", "months"), [("advance", 2), ("arrears", 1)])
def test_a_draft_that_waits_settles_it_itself(in_acme: Tenant, timing: str, months: int) -> None:
    """May is computed again when it is issued, and knows of the change by then."""
    subscription = a_year(timing)
    run(at("2026-05-01"))
    close_due_periods(at("2026-06-01"))
    to_monthly(timing, subscription)
    finalize_due_invoices(at("2026-06-02 12:00"))
    run(at("2026-07-01"))
    assert billed() == USED + 100 * months


@pytest.mark.parametrize("timing", ["advance", "arrears"])
def test_reissued_afterwards_the_sum_stays(in_acme: Tenant, timing: str) -> None:
    """At the end May leaves it to June, which settled. At the start June gives way first, for May now asks its fee."""
    subscription = a_year(timing)
    run(at("2026-06-01"))
    to_monthly(timing, subscription)
    run(at("2026-07-01"))
    before = billed()
    may, june = (
        Invoice.objects.get(kind="cycle", period_start=at(day)) for day in ("2026-05-01", "2026-06-01")
    )
    if timing == "advance":
        void_invoice(invoice=june, reason="before May", now=at("2026-07-04"))
    for number, one in enumerate([may, june] if timing == "advance" else [may]):
        draft = reissue_invoice(invoice=one, reason="a wrong address", now=at(f"2026-07-0{5 + number}"))
        finalize_invoice(invoice=draft, now=at(f"2026-07-0{5 + number} 12:00"))
    assert billed() == before


@pytest.mark.parametrize("fee", ["0", "30"])
def test_cancelled_there_no_minimum_is_asked_for_a_moment(in_acme: Tenant, fee: str) -> None:
    """April costs the minimum of 50. May has begun by nothing: what was paid of it comes back, and that is all."""
    make_meter("calls", aggregation="count", unit="call")
    usage = NewPrice(
        code="calls", name="Calls", model="per_unit", meter="calls", unit_amount="1",
        more={"minimum_amount": "50"},
    )  # fmt: skip
    subscription = start(sell("a", usage, base(fee, "advance")), at("2026-04-01"))
    run(at("2026-05-01"))
    cancel(
        subscription=subscription,
        when="date",
        at=at("2026-05-01"),
        unused="credit",
        now=at("2026-05-01 01:00"),
    )
    run(at("2026-05-02"))
    assert lines() == ([("credit", "Base: unused part", "-30.00")] if fee == "30" else [])
    assert billed() == 50 + Decimal(fee)


@pytest.mark.parametrize("received", ["2026-05-01 00:30", "2026-05-03"])
def test_an_event_of_that_very_instant_is_after_the_end(in_acme: Tenant, received: str) -> None:
    """Stamped with midnight, as batches are: whether it comes in time or late, it costs nothing, and no minimum."""
    make_meter("calls", aggregation="count", unit="call")
    usage = NewPrice(
        code="calls", name="Calls", model="per_unit", meter="calls", unit_amount="1",
        more={"minimum_amount": "50"},
    )  # fmt: skip
    subscription = start(sell("a", usage), at("2026-04-01"))
    run(at("2026-05-01"))
    midnight = {"id": "e1", "timestamp": at("2026-05-01").isoformat(), "properties": {}}
    if received < "2026-05-02":
        report(an_event(**midnight), now=at(received))
    cancel(
        subscription=subscription,
        when="date",
        at=at("2026-05-01"),
        unused="credit",
        now=at("2026-05-01 01:00"),
    )
    run(at("2026-05-02"))
    report(an_event(**midnight), now=at(received))
    assert lines() == []
    assert billed() == 50
    assert late_after_end(now=at("2026-05-04")) == []
