"""Where periods end: anchors at the ends of months, changes of clocks, far zones, and intervals of every kind."""

from typing import Any

import pytest

from apps.invoices.models import Invoice
from apps.tenants.models import Tenant
from tests.scenarios.lifecycle.words import at, base, bills, run, sell, start


def ends(zone: str = "UTC") -> list[str]:
    return [end for _, end, _ in bills() if end != "opening"]


@pytest.mark.parametrize(
    ("day", "year", "expected"),
    [
        (28, "26", ["26-02-28", "26-03-28", "26-04-28"]),
        (29, "26", ["26-02-28", "26-03-29", "26-04-29"]),
        (30, "26", ["26-02-28", "26-03-30", "26-04-30"]),
        (31, "26", ["26-02-28", "26-03-31", "26-04-30"]),
        (29, "28", ["28-02-29", "28-03-29", "28-04-29"]),
        (31, "28", ["28-02-29", "28-03-31", "28-04-30"]),
    ],
)
@pytest.mark.parametrize("anchor", ["anniversary", "day_of_month"])
def test_anchors_at_the_end_of_a_month(
    in_acme: Tenant, day: int, year: str, expected: list[str], anchor: str
) -> None:
    """Each whole period costs 31, however long it is."""
    more: dict[str, Any] = {"billing_day": day} if anchor == "day_of_month" else {}
    start(sell("a", base("31")), at(f"20{year}-01-{day}"), billing_anchor=anchor, **more)
    run(at(f"20{year}-05-01"))
    assert ends() == expected
    assert {total for _, _, total in bills()} == {"31.00"}


def test_a_day_of_month_cuts_the_first_period(in_acme: Tenant) -> None:
    """From 20 January to the 31st, 11 of the 31 days since 31 December."""
    start(sell("a", base("31")), at("2026-01-20"), billing_anchor="day_of_month", billing_day=31)
    run(at("2026-02-28"))
    assert bills() == [("26-01-20", "26-01-31", "11.00"), ("26-01-31", "26-02-28", "31.00")]


@pytest.mark.parametrize(
    ("zone", "started", "fee", "amount"),
    [
        ("America/New_York", "2026-03-16", "743", "384.00"),  # 16 days of 24 hours after the spring's change
        ("America/New_York", "2026-11-02", "721", "696.00"),  # 29 days; the first had 25 hours
        ("Europe/Berlin", "2026-03-29", "743", "71.00"),  # 23 + 24 + 24 hours
        ("Europe/Berlin", "2026-10-25", "745", "169.00"),  # 25 + 6 × 24
        ("Australia/Lord_Howe", "2026-10-04", "1487", "1343.00"),  # 28 days less half an hour, in half hours
        ("Australia/Lord_Howe", "2026-04-05", "1441", "1249.00"),  # 26 days and half an hour
        ("Pacific/Kiritimati", "2026-02-15", "28", "14.00"),
        ("Pacific/Pago_Pago", "2026-02-15", "28", "14.00"),
    ],
)
def test_changes_of_clocks_and_far_zones(
    in_acme: Tenant, zone: str, started: str, fee: str, amount: str
) -> None:
    start(sell("a", base(fee)), at(started, zone), zone=zone)
    run(at(f"{started[:5]}12-05", zone))
    assert Invoice.objects.order_by("id")[0].total_text == amount
    assert {end[-2:] for end in ends()} == {"01"}
    assert {total for _, _, total in bills()[1:]} <= {f"{fee}.00"}


def test_in_days_a_day_is_a_day(in_acme: Tenant) -> None:
    """31 March days, one of 23 hours: from the 29th on 3 of 31."""
    version = sell("a", base("31"), proration="day")
    start(version, at("2026-03-29 18:00", "Europe/Berlin"), zone="Europe/Berlin")
    run(at("2026-04-01", "Europe/Berlin"))
    assert bills() == [("26-03-29", "26-04-01", "3.00")]


@pytest.mark.parametrize(
    ("terms", "expected", "first"),
    [
        ({"interval_count": 3}, ["26-04-01", "26-07-01"], "45.00"),  # 45 of 90 days
        ({"interval_unit": "week"}, ["26-02-16", "26-02-23", "26-03-02"], "12.86"),  # 1 of 7 days
        ({"interval_unit": "week", "interval_count": 2}, ["26-02-23", "26-03-09"], "51.43"),  # 8 of 14
        ({"interval_unit": "day", "interval_count": 10}, ["26-02-25", "26-03-07"], "90.00"),
        ({"interval_unit": "day"}, ["26-02-16", "26-02-17"], "90.00"),
        ({"interval_count": 5}, ["26-07-01", "26-12-01"], "81.60"),  # 136 of the 150 days since 1 February
    ],
)
def test_every_interval_on_the_calendar(
    in_acme: Tenant, terms: dict[str, Any], expected: list[str], first: str
) -> None:
    """15 February 2026 is a Sunday; weeks begin on Mondays."""
    start(sell("a", base("90"), **terms), at("2026-02-15"))
    run(at("2026-12-15"))
    assert ends()[: len(expected)] == expected
    assert [total for _, _, total in bills()][:2] == [first, "90.00"]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"interval_count": 3}, ["26-02-28", "26-05-30", "26-08-30"]),
        ({"interval_count": 12}, ["26-11-30", "27-11-30"]),
        ({"interval_unit": "week", "interval_count": 2}, ["25-12-14", "25-12-28"]),
        ({"interval_unit": "day", "interval_count": 10}, ["25-12-10", "25-12-20"]),
    ],
)
def test_every_interval_from_the_day_of_the_start(
    in_acme: Tenant, terms: dict[str, Any], expected: list[str]
) -> None:
    start(sell("a", base("90"), **terms), at("2025-11-30"), billing_anchor="anniversary")
    run(at("2027-12-01"))
    assert ends()[: len(expected)] == expected
    assert {total for _, _, total in bills()} == {"90.00"}
