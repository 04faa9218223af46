"""Drafts that are finalized in one pass go in the order in which they rest on each other."""

from apps.invoices.models import Invoice
from apps.subscriptions.services.change_subscription import change_subscription
from apps.tenants.models import Tenant
from tests.scenarios.lifecycle.words import NO_TIME, at, base, bills, run, sell, start


def test_an_opening_comes_before_the_cycle_that_a_change_cut_short(in_acme: Tenant) -> None:
    """A year is paid ahead, 1,200; one hour later a plan for 100 a month counts, while the opening is a draft.

    The opening is then for an hour of 8,760: 1,200 / 8,760 = 0.14. The cycle of that hour has nothing to give back.
    It ends before the month that the opening was drafted for, and still comes after it. 743 of the 744 hours of
    January cost 99.87.
    """
    yearly = sell(
        "a", base("1200", "advance"), interval_count=12, usage_interval_unit="month", usage_interval_count=1,
        proration="second",
    )  # fmt: skip
    subscription = start(yearly, at("2026-01-01"))
    run(at("2026-01-01 01:00"), grace=NO_TIME)
    change_subscription(
        subscription=subscription, plan_version=sell("b", base("100"), proration="second"), when="now",
        now=at("2026-01-01 01:00"),
    )  # fmt: skip
    run(at("2026-02-01"))
    assert not Invoice.objects.filter(status=Invoice.Status.DRAFT).exists()
    assert bills() == [
        ("26-01-01", "opening", "0.14"),
        ("26-01-01", "26-01-01", "0.00"),
        ("26-01-01", "26-02-01", "99.87"),
    ]
