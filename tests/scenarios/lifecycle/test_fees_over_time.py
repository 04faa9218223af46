"""Longer terms than a month, changes within them, pauses and ends: the arithmetic stands beside the amounts."""

import pytest

from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel, reactivate
from apps.subscriptions.services.change_subscription import change_subscription, drop_scheduled_change
from apps.subscriptions.services.change_time_zone import change_time_zone
from apps.subscriptions.services.pause import pause, resume
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_meter, report
from tests.scenarios.lifecycle.words import at, base, bills, calls, fresh, lines, run, sell, start

YEARLY = {"interval_count": 12, "usage_interval_unit": "month", "usage_interval_count": 1}


def counted(*instants: str) -> None:
    for number, one in enumerate(instants):
        event = an_event(f"{one}-{number}", timestamp=one, properties={})
        [verdict] = report(event, now=at("2028-01-01"))
        assert verdict.status == "accepted", verdict


@pytest.fixture
def calls_meter(in_acme: Tenant) -> None:
    make_meter("calls", aggregation="count", unit="call")


def test_a_yearly_fee_with_monthly_usage(in_acme: Tenant, calls_meter: None) -> None:
    start(sell("pro", base("365", "advance"), calls("0.10"), **YEARLY), at("2026-01-01"))
    counted("2026-01-05T00:00:00Z", "2026-02-05T00:00:00Z", "2026-02-06T00:00:00Z")
    run(at("2026-03-01"))
    assert bills() == [
        ("26-01-01", "opening", "365.00"),
        ("26-01-01", "26-02-01", "0.10"),
        ("26-02-01", "26-03-01", "0.20"),
    ]
    run(at("2027-01-01"))
    # The cycle that ends with the year bills the next one.
    assert bills()[-1] == ("26-12-01", "27-01-01", "365.00")
    assert len(bills()) == 13


def test_a_yearly_fee_at_the_end_is_on_the_last_month(in_acme: Tenant) -> None:
    start(sell("pro", base("365"), **YEARLY), at("2026-01-01"))
    run(at("2027-01-01"))
    assert [total for _, _, total in bills()] == ["0.00"] * 11 + ["365.00"]


def test_a_change_in_month_five_of_a_year(in_acme: Tenant) -> None:
    """On 26 May 145 days are over and 220 are left: 365 → 145 of the old, 730 × 220/365 = 440 of the new."""
    subscription = start(sell("pro", base("365", "advance"), **YEARLY), at("2026-01-01"))
    dearer = sell("max", base("730", "advance"), **YEARLY)
    run(at("2026-05-01"))
    change_subscription(subscription=subscription, plan_version=dearer, when="now", now=at("2026-05-26"))
    run(at("2026-06-01"))
    assert lines() == [("credit", "Base: unused part", "-220.00"), ("flat", "Base", "440.00")]
    run(at("2026-07-01"))
    assert lines() == []
    run(at("2027-01-01"))
    assert lines() == [("flat", "Base", "730.00")]
    assert sum(one.total for one in Invoice.objects.filter(period_end__lt=at("2027-01-01"))) == 365 + 220


def test_seats_up_and_down(in_acme: Tenant) -> None:
    """10 a seat in 31 days: 3 seats; 5 from the 11th, 21 days: + 2 × 10 × 21/31; 4 from the 21st."""
    version = sell("seats", base("31", "advance", is_per_seat=True))
    subscription = start(version, at("2026-01-01"), quantity=3)
    run(at("2026-01-02"))
    assert lines() == [("flat", "Base", "93.00")]
    change_subscription(subscription=subscription, quantity=5, when="now", now=at("2026-01-11"))
    change_subscription(subscription=subscription, quantity=4, when="now", now=at("2026-01-21"))
    run(at("2026-02-01"))
    # 3 × 10 + 5 × 10 + 4 × 11 = 124; less 93. February: 4 × 31.
    assert lines() == [("flat", "Base", "31.00"), ("flat", "Base", "124.00")]


def test_seats_at_the_end(in_acme: Tenant) -> None:
    subscription = start(sell("seats", base("31", is_per_seat=True)), at("2026-01-01"), quantity=2)
    change_subscription(
        subscription=subscription, quantity=1, when="date", at=at("2026-01-16"), now=at("2026-01-02")
    )
    run(at("2026-02-01"))
    assert lines() == [("flat", "Base", "30.00"), ("flat", "Base", "16.00")]  # 2 × 15, 1 × 16


def test_three_changes_in_one_period(in_acme: Tenant) -> None:
    """31, 62 and 93 a month, 31 again: 10 + 2 × 5 + 3 × 6 + 10 days."""
    one, two, three = (
        sell(name, base(fee, "advance")) for name, fee in (("a", "31"), ("b", "62"), ("c", "93"))
    )
    subscription = start(one, at("2026-01-01"))
    run(at("2026-01-02"))
    for version, day in ((two, "11"), (three, "16"), (one, "22")):
        change_subscription(
            subscription=subscription, plan_version=version, when="now", now=at(f"2026-01-{day}")
        )
    run(at("2026-02-01"))
    assert lines() == [
        ("credit", "Base: unused part", "-11.00"),  # 10 + 10 of 31
        ("flat", "Base", "10.00"),
        ("flat", "Base", "18.00"),
        ("flat", "Base", "31.00"),
    ]


@pytest.mark.parametrize(("day", "credit", "fee"), [("01", "-31.00", "62.00"), ("31", "-1.00", "2.00")])
def test_an_upgrade_on_the_first_and_the_last_day(in_acme: Tenant, day: str, credit: str, fee: str) -> None:
    """In days: whenever it is done, the day is the new plan's alone."""
    old, new = (sell(name, base(fee, "advance"), proration="day") for name, fee in (("a", "31"), ("b", "62")))
    subscription = start(old, at("2026-01-01"))
    run(at("2026-01-01"))
    change_subscription(
        subscription=subscription, plan_version=new, when="now", now=at(f"2026-01-{day} 17:30")
    )
    run(at("2026-02-01"))
    expected = [("flat", "Base", fee), ("flat", "Base", "62.00")]
    assert sorted(lines()) == sorted([("credit", "Base: unused part", credit), *expected])


@pytest.mark.parametrize(("day", "credit", "fee"), [("2", "-60.00", "30.00"), ("31", "-2.00", "1.00")])
def test_a_downgrade_early_and_on_the_last_day(in_acme: Tenant, day: str, credit: str, fee: str) -> None:
    old, new = (sell(name, base(fee, "advance"), proration="day") for name, fee in (("a", "62"), ("b", "31")))
    subscription = start(old, at("2026-01-01"))
    run(at("2026-01-01"))
    change_subscription(
        subscription=subscription, plan_version=new, when="now", now=at(f"2026-01-{int(day):02} 09:00")
    )
    run(at("2026-02-01"))
    assert lines() == [
        ("credit", "Base: unused part", credit), ("flat", "Base", fee), ("flat", "Base", "31.00"),
    ]  # fmt: skip


def test_usage_goes_by_the_day_of_the_change_too(in_acme: Tenant, calls_meter: None) -> None:
    """Calls of the morning before the change are the new plan's."""
    old, new = (sell(name, calls(amount), proration="day") for name, amount in (("a", "1"), ("b", "10")))
    subscription = start(old, at("2026-01-01"))
    counted("2026-01-09T23:59:59Z", "2026-01-10T00:00:00Z", "2026-01-10T18:00:00Z")
    change_subscription(subscription=subscription, plan_version=new, when="now", now=at("2026-01-10 17:00"))
    run(at("2026-02-01"))
    assert lines() == [("usage", "Calls", "1.00"), ("usage", "Calls", "20.00")]


def test_a_change_at_the_end_of_the_paid_year(in_acme: Tenant) -> None:
    subscription = start(sell("pro", base("365", "advance"), **YEARLY), at("2026-01-01"))
    cheaper = sell("lite", base("12", "advance"), **YEARLY)
    change_subscription(
        subscription=subscription, plan_version=cheaper, when="period_end", now=at("2026-03-05")
    )
    run(at("2027-01-01"))
    assert bills()[0] == ("26-01-01", "opening", "365.00")
    assert lines() == [("flat", "Base", "12.00")]


def test_from_monthly_to_yearly_begins_a_year_at_once(in_acme: Tenant) -> None:
    """16 days of January come back; the year is anchored in the 16th."""
    subscription = start(sell("m", base("31", "advance")), at("2026-01-01"), billing_anchor="anniversary")
    year = sell("y", base("300", "advance"), **YEARLY)
    run(at("2026-01-02"))
    change_subscription(subscription=subscription, plan_version=year, when="now", now=at("2026-01-16"))
    run(at("2026-01-16"))
    assert bills()[-1] == ("26-01-01", "26-01-16", "284.00")
    assert lines() == [("credit", "Base: unused part", "-16.00"), ("flat", "Base", "300.00")]
    run(at("2026-03-20"))
    assert bills()[-2:] == [("26-01-16", "26-02-16", "0.00"), ("26-02-16", "26-03-16", "0.00")]
    run(at("2027-01-16"))
    assert lines() == [("flat", "Base", "300.00")]


def test_on_the_calendar_the_first_year_is_cut(in_acme: Tenant) -> None:
    """From 1 July on, 184 of 365 days."""
    subscription = start(sell("m", base("31")), at("2026-06-01"))
    year = sell("y", base("365", "advance"), **YEARLY)
    change_subscription(subscription=subscription, plan_version=year, when="period_end", now=at("2026-06-05"))
    run(at("2026-07-01"))
    assert lines() == [("flat", "Base", "31.00"), ("flat", "Base", "184.00")]


def test_a_change_that_is_dropped_never_happened(in_acme: Tenant) -> None:
    subscription = start(sell("a", base("31")), at("2026-01-01"))
    other = sell("b", base("62"))
    change_subscription(
        subscription=subscription, plan_version=other, when="period_end", now=at("2026-01-05")
    )
    drop_scheduled_change(subscription=subscription, now=at("2026-01-06"))
    assert subscription.phases.count() == 1
    run(at("2026-03-01"))
    assert [total for _, _, total in bills()] == ["31.00", "31.00"]
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        drop_scheduled_change(subscription=subscription, now=at("2026-03-06"))
    assert refused.value.code == "nothing_scheduled"


def test_a_pause_over_a_boundary(in_acme: Tenant, calls_meter: None) -> None:
    """Paused from 22 January to 15 February: 21 of 31 days, then 14 of 28. A call in between has no price."""
    subscription = start(sell("a", base("31", "advance"), calls("1")), at("2026-01-01"))
    run(at("2026-01-02"))
    pause(subscription=subscription, when="now", now=at("2026-01-22"))
    counted("2026-01-25T00:00:00Z")
    run(at("2026-02-01"))
    january = Invoice.objects.order_by("-id").first()
    assert january is not None
    assert lines(january) == [("usage", "Calls", "0.00"), ("credit", "Base: unused part", "-10.00")]
    assert [(one["meter"], one["quantity"]) for one in january.unpriced] == [("calls", "1")]
    resume(subscription=subscription, when="date", at=at("2026-02-15"), now=at("2026-02-10"))
    run(at("2026-03-01"))
    assert lines() == [("usage", "Calls", "0.00"), ("flat", "Base", "15.50"), ("flat", "Base", "31.00")]


@pytest.mark.parametrize(
    ("unused", "expected"), [("credit", [("credit", "Base: unused part", "-220.00")]), ("nothing", [])]
)
def test_cancelled_in_month_five_of_a_year(
    in_acme: Tenant, unused: str, expected: list[tuple[str, str, str]]
) -> None:
    subscription = start(sell("pro", base("365", "advance"), **YEARLY), at("2026-01-01"))
    run(at("2026-05-01"))
    cancel(subscription=subscription, when="now", unused=unused, now=at("2026-05-26"))
    run(at("2026-05-26"))
    assert lines() == expected
    assert fresh(subscription).status == Subscription.Status.ENDED
    with nothing_changes_in("acme"):
        run(at("2027-05-26"))


def test_cancelled_at_the_end_of_the_period(in_acme: Tenant) -> None:
    subscription = start(sell("a", base("31", "advance"), base("5", code="support")), at("2026-01-01"))
    run(at("2026-01-02"))
    cancel(subscription=subscription, when="period_end", unused="credit", now=at("2026-01-20"))
    run(at("2026-03-01"))
    assert bills() == [("26-01-01", "opening", "31.00"), ("26-01-01", "26-02-01", "5.00")]


def test_cancelled_and_reactivated(in_acme: Tenant) -> None:
    subscription = start(sell("a", base("31", "advance")), at("2026-01-01"))
    cancel(subscription=subscription, when="date", at=at("2026-01-20"), unused="credit", now=at("2026-01-05"))
    assert fresh(subscription).next_boundary_at == at("2026-01-20")
    reactivate(subscription=subscription, now=at("2026-01-19"))
    run(at("2026-02-01"))
    assert bills() == [("26-01-01", "opening", "31.00"), ("26-01-01", "26-02-01", "31.00")]
    cancel(subscription=subscription, when="now", unused="refund", now=at("2026-02-15"))
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        reactivate(subscription=subscription, now=at("2026-02-15"))
    assert refused.value.code == "end_took_effect"
    run(at("2026-02-15"))
    assert bills()[-1] == ("26-02-01", "26-02-15", "-15.50")


def test_cancelled_at_the_boundary_gives_back_what_was_just_billed(in_acme: Tenant) -> None:
    subscription = start(sell("a", base("31", "advance")), at("2026-01-01"))
    run(at("2026-02-01"))
    cancel(subscription=subscription, when="now", unused="credit", now=at("2026-02-01"))
    run(at("2026-02-02"))
    assert sum(one.total for one in Invoice.objects.all()) == 31


def test_a_trial_of_fees_that_ends_in_the_middle(in_acme: Tenant, calls_meter: None) -> None:
    """14 days: the fee is asked for from the 15th on, 17 of 31 days. Usage is billed from the first."""
    version = sell("a", base("31", "advance"), base("5", "once", code="setup"), calls("1"), trial_days=14)
    start(version, at("2026-01-01"))
    counted("2026-01-05T00:00:00Z", "2026-01-20T00:00:00Z")
    run(at("2026-01-14"))
    assert bills() == []
    run(at("2026-01-15"))
    assert lines() == [("flat", "Base", "17.00"), ("flat", "Setup", "5.00")]
    run(at("2026-02-01"))
    assert lines() == [("usage", "Calls", "2.00"), ("flat", "Base", "31.00")]


def test_a_trial_of_everything_shows_usage_at_nothing(in_acme: Tenant, calls_meter: None) -> None:
    version = sell("a", base("31"), calls("1"), trial_days=14, trial_covers="everything")
    start(version, at("2026-01-01"))
    counted("2026-01-05T00:00:00Z", "2026-01-20T00:00:00Z")
    run(at("2026-02-01"))
    assert lines() == [("usage", "Calls", "0.00"), ("flat", "Base", "17.00"), ("usage", "Calls", "1.00")]
    assert Invoice.objects.get().lines.first().quantity == 1
    counted("2026-01-06T00:00:00Z")
    run(at("2026-03-01"))
    assert ("adjustment", "Calls: late usage", "0.00") in lines()


def test_a_trial_that_cancels(in_acme: Tenant) -> None:
    version = sell("a", base("31", "advance"), trial_days=14)
    subscription = start(version, at("2026-01-01"), trial_end="cancel")
    run(at("2026-03-01"))
    assert bills() == [("26-01-01", "26-01-15", "0.00")]
    assert fresh(subscription).status == Subscription.Status.ENDED


def test_a_trial_that_would_cancel_is_reactivated(in_acme: Tenant) -> None:
    subscription = start(
        sell("a", base("31", "advance"), trial_days=31), at("2026-01-01"), trial_end="cancel"
    )
    reactivate(subscription=subscription, now=at("2026-01-20"))
    run(at("2026-03-01"))
    assert sorted(bills()) == [
        ("26-01-01", "26-02-01", "0.00"), ("26-02-01", "26-03-01", "31.00"), ("26-02-01", "opening", "31.00"),
    ]  # fmt: skip
    # The opening comes after the trial and before the first period that is paid for; none waits for the other.
    assert not Invoice.objects.filter(status=Invoice.Status.DRAFT).exists()


def test_a_backdated_start_of_fourteen_months(in_acme: Tenant) -> None:
    start(sell("a", base("31")), at("2024-12-15"), now=at("2026-02-15"))
    run(at("2026-02-15"))
    found = bills()
    assert len(found) == 14
    assert found == sorted(found)
    assert found[0] == ("24-12-15", "25-01-01", "17.00")
    assert {total for _, _, total in found[1:]} == {"31.00"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Europe/Berlin", "America/New_York"),
        ("America/New_York", "Pacific/Kiritimati"),
        ("Pacific/Kiritimati", "Pacific/Pago_Pago"),
        ("UTC", "Australia/Lord_Howe"),
    ],
)
def test_a_change_of_time_zone_leaves_no_hole(in_acme: Tenant, old: str, new: str) -> None:
    subscription = start(sell("a", base("31", "advance")), at("2026-01-01", old), zone=old)
    run(at("2026-02-10", old))
    change_time_zone(subscription=subscription, time_zone=new, now=at("2026-02-10", old))
    run(at("2026-05-02", new))
    cycles = list(Invoice.objects.filter(kind="cycle").order_by("period_start"))
    edges = [(one.period_start, one.period_end) for one in cycles]
    assert [end for _, end in edges[:-1]] == [begin for begin, _ in edges[1:]]
    assert [end for _, end in edges] == [
        at("2026-02-01", old), at("2026-03-01", new), at("2026-04-01", new), at("2026-05-01", new),
    ]  # fmt: skip
    assert [one.total_text for one in Invoice.objects.order_by("id")] == ["31.00"] * 5
