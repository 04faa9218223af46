"""Another time zone while a long fee is running: the months before the change stay what they were."""

import pytest

from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.invoices.services.void_invoice import reissue_invoice
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.change_time_zone import change_time_zone
from apps.tenants.models import Tenant
from tests.scenarios.lifecycle.words import at, base, fresh, lines, run, sell, start

YEARLY = {"interval_count": 12, "usage_interval_unit": "month", "usage_interval_count": 1}


@pytest.mark.parametrize("timing", ["advance", "arrears"])
def test_a_draft_before_the_change_is_not_the_last_of_its_year(in_acme: Tenant, timing: str) -> None:
    """1200 a year, once: with the opening, or with December. May (151 of 365 days: 496.44) is no end of anything."""
    subscription = start(sell("pro", base("1200", timing), **YEARLY), at("2026-01-01"))
    run(at("2026-05-01"))
    close_due_periods(at("2026-06-01"))
    may = Invoice.objects.get(kind="cycle", period_start=at("2026-05-01"))
    assert may.status == Invoice.Status.DRAFT
    change_time_zone(subscription=subscription, time_zone="America/New_York", now=at("2026-06-01 05:00"))
    finalize_due_invoices(at("2026-06-02 12:00"))
    may.refresh_from_db()
    assert (may.status, may.total) == (Invoice.Status.OPEN, 0)
    run(at("2027-01-01", "America/New_York"))
    year = Invoice.objects.filter(period_start__lt=at("2026-12-01"))
    assert sum(one.total for one in year) == (1200 if timing == "advance" else 0)
    december = Invoice.objects.get(period_start=at("2026-12-01", "America/New_York"))
    assert december.total == 1200


def test_a_month_before_the_change_is_reissued_as_it_was(in_acme: Tenant) -> None:
    subscription = start(sell("pro", base("1200"), **YEARLY), at("2026-01-01"))
    run(at("2026-06-01"))
    change_time_zone(subscription=subscription, time_zone="America/New_York", now=at("2026-06-10"))
    may = Invoice.objects.get(period_start=at("2026-05-01"))
    assert (
        reissue_invoice(invoice=may, reason="a wrong address", now=at("2026-06-11")).total == may.total == 0
    )


def test_days_of_a_year_add_up_over_the_change(in_acme: Tenant) -> None:
    """100 a day for 365 days, whichever plan has them and in whichever zone: 59 days, 214 and 92."""
    here, there = "America/New_York", "Europe/Berlin"
    first, second = (sell(code, base("36500"), **YEARLY, proration="day") for code in ("a", "b"))
    subscription = start(first, at("2026-01-01", here), zone=here)
    run(at("2026-03-01", here))
    change_subscription(
        subscription=subscription, plan_version=second, when="now", now=at("2026-03-01 12:00", here)
    )
    run(at("2026-07-01 12:00"))
    change_time_zone(subscription=fresh(subscription), time_zone=there, now=at("2026-07-01 13:00"))
    change_subscription(
        subscription=fresh(subscription), plan_version=first, when="date", at=at("2026-10-01 12:00", there),
        now=at("2026-07-02"),
    )  # fmt: skip
    run(at("2027-01-02"))
    december = Invoice.objects.get(period_end=at("2027-01-01", there))
    assert [amount for _, _, amount in lines(december)] == ["5900.00", "21400.00", "9200.00"]


def test_a_plan_from_the_very_start_begins_its_own_periods(in_acme: Tenant) -> None:
    """The month that was moved to another zone does not outlive the monthly plan: four weeks at 7.00 each."""
    weekly = sell("week", base("7"), interval_unit="week")
    subscription = start(sell("month", base("31")), at("2026-01-01"), billing_anchor="anniversary")
    change_time_zone(subscription=subscription, time_zone="Europe/Berlin", now=at("2026-01-10"))
    change_subscription(
        subscription=subscription, plan_version=weekly, when="date", at=at("2026-01-01"), now=at("2026-01-20")
    )
    run(at("2026-01-29"))
    found = Invoice.objects.order_by("period_start").values_list("period_start", "total")
    assert list(found) == [(at(f"2026-01-{day:02}"), 7) for day in (1, 8, 15, 22)]


def test_what_begins_between_the_old_boundary_and_the_new_is_not_billed_twice(in_acme: Tenant) -> None:
    """2 seats from 1 February UTC, which becomes 05:00, and 3 from 03:00: January has 749 hours at 1.00 a seat."""
    plan = sell("pro", base("749", is_per_seat=True), proration="second")
    subscription = start(plan, at("2026-01-01"))
    for hour, seats in ((0, 2), (3, 3)):
        change_subscription(
            subscription=subscription, quantity=seats, when="date", at=at(f"2026-02-01 0{hour}:00"),
            now=at("2026-01-10"),
        )  # fmt: skip
    change_time_zone(subscription=subscription, time_zone="America/New_York", now=at("2026-01-11"))
    phases = list(subscription.phases.order_by("starts_at"))
    assert [one.ends_at for one in phases[:-1]] == [one.starts_at for one in phases[1:]]
    run(at("2026-02-02"))
    assert lines() == [("flat", "Base", "749.00")]
