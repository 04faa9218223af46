"""Each price model on a real invoice: events come in, the period is closed, the line says the amount to the cent."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from apps.catalog.services.plans import NewPrice
from apps.core import clock
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.factories import make_meter, make_plan, make_subscription
from tests.invoices.ledger import FEBRUARY, MARCH, lines, metered, previewed, publish_next, use

TIERS = [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}]
VOLUME = [{"up_to": "100", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}]
FEES = [
    {"up_to": "10", "unit_amount": "1", "flat_amount": "5"},
    {"up_to": None, "unit_amount": "0.5", "flat_amount": "3"},
]


@dataclass
class Case:
    """A price, what was used in January (the units of each event), and the one line that comes of it."""

    price: NewPrice
    used: list[Any]
    quantity: str
    amount: str


CASES = {
    # 142,500 × 0.00003 = 4.275
    "per unit": Case(metered("per_unit", unit_amount="0.00003"), [142_000, 500], "142500", "4.28"),
    "per unit, little": Case(metered("per_unit", unit_amount="0.00003"), [8420], "8420", "0.25"),
    "per unit, nothing used": Case(metered("per_unit", unit_amount="0.00003"), [], "0", "0.00"),
    # 1,500 tokens are 2 started thousands, one of them free: 1 × 0.05
    "per thousand, rounded up": Case(
        metered("per_unit", unit_amount="0.05", convert={"divide_by": "1000", "rounding": "up"}, quantity_included="1"),
        [1500],
        "1500",
        "0.05",
    ),
    # 20 s / 60 × 0.015 = 0.005: the quotient is endless, the tie is a tie
    "seconds by the minute": Case(
        metered("per_unit", unit_amount="0.015", convert={"divide_by": "60"}), [20], "20", "0.01"
    ),
    # 1,000 × 0.01 + 500 × 0.005
    "graduated": Case(metered("graduated", tiers=TIERS), [1000, 500], "1500", "12.50"),
    "graduated, at the bound": Case(metered("graduated", tiers=TIERS), [1000], "1000", "10.00"),
    # 1,000 × 0.01 + 0.5 × 0.005 = 10.0025
    "graduated, a fraction": Case(metered("graduated", tiers=TIERS), ["1000.5"], "1000.5", "10.00"),
    # 5 + 10 × 1 + 3 + 1 × 0.5
    "graduated with fees": Case(metered("graduated", tiers=FEES), [11], "11", "18.50"),
    "graduated with fees, nothing used": Case(metered("graduated", tiers=FEES), [], "0", "5.00"),
    "graduated, no fee at zero": Case(
        metered("graduated", tiers=FEES, first_tier_flat_at_zero=False), [], "0", "0.00"
    ),
    # 101 × 0.5
    "volume": Case(metered("volume", tiers=VOLUME), [101], "101", "50.50"),
    "volume, at the bound": Case(metered("volume", tiers=VOLUME), [100], "100", "100.00"),
    # 2 started packages × 0.35
    "package": Case(metered("package", package_size="1000", unit_amount="0.35"), [1001], "1001", "0.70"),
    # 160.50 × 0.029 + 3 × 0.30 = 5.5545
    "percentage": Case(
        metered("percentage", rate="0.029", fixed_amount="0.30"), [100, 50, "10.50"], "160.5", "5.55"
    ),
    # Free: 300 and 200 of the second 300. (100 + 10) × 0.01 + 2 × 0.25
    "percentage with free events": Case(
        metered("percentage", rate="0.01", fixed_amount="0.25", events_included=3, amount_included="500"),
        [300, 300, 10],
        "610",
        "1.60",
    ),
    # Cents are metered, dollars are priced: 500 free of 61,000 / 100. 110 × 0.01 + 2 × 0.25
    "percentage of cents": Case(
        metered(
            "percentage", rate="0.01", fixed_amount="0.25", events_included=3, amount_included="500",
            convert={"divide_by": "100"},
        ),
        [30_000, 30_000, 1_000],
        "61000",
        "1.60",
    ),
    # 10,000 × 0.02 + 2,000 × 0.01
    "graduated percentage": Case(
        metered("graduated_percentage", tiers=[{"up_to": "10000", "rate": "0.02"}, {"up_to": None, "rate": "0.01"}]),
        [12_000],
        "12000",
        "220.00",
    ),
    # 1,234.567891 × 1.2 = 1,481.4814692
    "cost plus": Case(metered("cost_plus", multiplier="1.2"), ["1234.567891"], "1234.567891", "1481.48"),
    # 500 × 0.01 = 5, 20 % off is 4, at least 4.50
    "discount, then minimum": Case(
        metered("per_unit", unit_amount="0.01", discount_percent="20", minimum_amount="4.50"), [500], "500", "4.50"
    ),
    # 5,000 × 0.01 = 50, at most 30
    "maximum": Case(metered("per_unit", unit_amount="0.01", maximum_amount="30"), [5000], "5000", "30.00"),
    # 300 × 0.5 = 150: 100 as promised, 50 × 1.5 beyond
    "commitment with overage": Case(
        metered("per_unit", unit_amount="0.5", commitment={"amount": "100", "true_up": True, "overage_factor": "1.5"}),
        [300],
        "300",
        "175.00",
    ),
    # 120 × 0.5 = 60, 40 are missing to the promise
    "commitment with true-up": Case(
        metered("per_unit", unit_amount="0.5", commitment={"amount": "100", "true_up": True}), [120], "120", "100.00"
    ),
}  # fmt: skip


def subscribed(*prices: NewPrice, **fields: Any) -> Subscription:
    make_meter("units", unit="unit")
    return make_subscription(plan_version=make_plan("pro", list(prices), **fields))


@pytest.mark.parametrize("name", CASES)
def test_the_line_of_the_model(in_acme: Tenant, name: str) -> None:
    case = CASES[name]
    subscription = subscribed(case.price)
    for number, units in enumerate(case.used):
        use(f"e{number}", f"2026-01-{10 + number}T00:00:00Z", units=units)
    expected = [("usage", "Units", case.quantity, case.amount)]
    assert previewed(subscription) == expected
    assert close_due_periods(FEBRUARY) == 1
    invoice = Invoice.objects.get()
    assert lines(invoice) == expected
    assert invoice.total_text == case.amount
    line = invoice.lines.get()
    amounts = [Decimal(step["amount"]) for step in line.steps if "amount" in step]
    assert sum(amounts) == line.unrounded_amount
    assert line.event_count == len(case.used)
    # Finalizing computes it again: the same.
    finalize_due_invoices(FEBRUARY + (MARCH - FEBRUARY))
    assert lines(Invoice.objects.get(status="open")) == expected


def test_a_flat_fee_with_a_discount(in_acme: Tenant) -> None:
    subscribed(
        NewPrice(code="base", name="Base", model="flat", flat_amount="19.99", more={"discount_percent": "10"})
    )
    close_due_periods(FEBRUARY)
    assert lines(Invoice.objects.get()) == [("flat", "Base", None, "17.99")]  # 19.99 × 0.9 = 17.991


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "2"), ("USD", "1.50"), ("KWD", "1.500")])
def test_the_currency_decides_where_it_is_rounded(in_acme: Tenant, currency: str, amount: str) -> None:
    subscribed(metered("per_unit", unit_amount="0.5"), currency=currency)
    use("e", "2026-01-10T00:00:00Z", units=3)
    close_due_periods(FEBRUARY)
    assert Invoice.objects.get().total_text == amount


LONG = "1234567890123456789.123456789012345678"


def test_no_digit_of_a_quantity_is_lost(in_acme: Tenant) -> None:
    """37 digits, summed over two dimension sets: twice the number, times 0.000000000000000001."""
    make_meter("units", unit="unit", dimensions=["model"])
    price = metered("per_unit", unit_amount="0.000000000000000001")
    subscription = make_subscription(plan_version=make_plan("pro", [price]))
    for model in ("a", "b"):
        use(model, "2026-01-10T00:00:00Z", units=LONG, model=model)
    assert previewed(subscription) == [("usage", "Units", "2469135780246913578.246913578024691356", "2.47")]
    close_due_periods(FEBRUARY)
    assert Invoice.objects.get().lines.get().quantity == 2 * Fraction(LONG)


def test_no_digit_of_a_dynamic_quantity_is_lost(in_acme: Tenant) -> None:
    subscription = subscribed(DYNAMIC)
    for number, price in enumerate(("0.000000000000000001", "0.000000000000000002")):
        use(f"e{number}", f"2026-01-1{number}T00:00:00Z", units=LONG, price=price)
    # 1.2345… × 1 + 1.2345… × 2 = 3.7037…
    assert previewed(subscription) == [("usage", "Units", "2469135780246913578.246913578024691356", "3.70")]


def test_free_events_are_found_whatever_the_conversion(in_acme: Tenant) -> None:
    """60 / (3 × 10^-18) are 2 × 10^19 billed units an event. Three events are free, or almost 6 × 10^19 units."""
    free = {"events_included": 3, "amount_included": "59999999999999999999.5"}
    convert = {"divide_by": "0.000000000000000003"}
    price = metered("percentage", rate="0", fixed_amount="0.25", convert=convert, **free)
    subscription = subscribed(price)
    for number in range(4):
        use(f"e{number}", f"2026-01-1{number}T00:00:00Z", units="60")
    # The third crosses the free amount by half a unit: two events pay 0.25.
    assert previewed(subscription) == [("usage", "Units", "240", "0.50")]


# --- Dynamic: each event brings its unit price

DYNAMIC = metered("dynamic", unit_amount_property="price")


def test_dynamic_prices(in_acme: Tenant) -> None:
    """Strings and numbers alike: 1,000 × 0.002 + 500 × 0.003 + 2 × 0.0000001 = 3.5000002"""
    subscription = subscribed(DYNAMIC)
    use("a", "2026-01-10T00:00:00Z", units=1000, price="0.002")
    use("b", "2026-01-11T00:00:00Z", units=500, price=Decimal("0.003"))
    use("c", "2026-01-12T00:00:00Z", units=2, price="0.0000001")
    assert previewed(subscription) == [("usage", "Units", "1502", "3.50")]
    close_due_periods(FEBRUARY)
    line = Invoice.objects.get().lines.get()
    assert line.unrounded_amount == Decimal("3.5000002")
    assert [(step["quantity"], step["unit_amount"]) for step in line.steps] == [
        ("500", "0.003"), ("1000", "0.002"), ("2", "0.0000001"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "price", [None, "", "free", "-1", "1e5", "NaN", True, {"amount": 1}, "0.0000000000000000001"]
)
def test_an_event_without_a_unit_price_is_shown_and_not_billed(in_acme: Tenant, price: Any) -> None:
    subscription = subscribed(DYNAMIC)
    use("a", "2026-01-10T00:00:00Z", units=10, price="0.5")
    use("b", "2026-01-11T00:00:00Z", units=7, price=price)
    computed = compute_invoice(subscription=subscription, period=subscription.open_period, as_of=clock.now())
    assert [(row.quantity, row.event_count) for row in computed.unpriced] == [(7, 1)]
    assert previewed(subscription) == [("usage", "Units", "10", "5.00")]


def test_late_dynamic_usage_costs_what_it_brings(in_acme: Tenant) -> None:
    subscribed(DYNAMIC)
    use("a", "2026-01-10T00:00:00Z", units=10, price="0.5")
    close_due_periods(FEBRUARY)
    finalize_due_invoices(MARCH)
    use("late", "2026-01-11T00:00:00Z", units=3, price="2")
    use("later, without a price", "2026-01-12T00:00:00Z", units=9)
    close_due_periods(MARCH)
    assert lines(Invoice.objects.get(period_start=FEBRUARY)) == [
        ("usage", "Units", "0", "0.00"),
        ("adjustment", "Units: late usage", "3", "6.00"),  # 10 × 0.5 + 3 × 2 − 5.00
    ]


# --- Late usage is priced as if it had come in time


def late(price: NewPrice, in_time: list[int], after: list[int]) -> list[Any]:
    """January is billed and final, then more of January arrives. The lines for January on February's invoice."""
    subscribed(price)
    for number, units in enumerate(in_time):
        use(f"e{number}", f"2026-01-{10 + 2 * number}T00:00:00Z", units=units)
    close_due_periods(FEBRUARY)
    finalize_due_invoices(MARCH)
    for number, units in enumerate(after):
        use(f"late{number}", f"2026-01-{11 + 2 * number}T00:00:00Z", units=units)
    close_due_periods(MARCH)
    february = Invoice.objects.get(period_start=FEBRUARY)
    return [line for line in lines(february) if line[0] == "adjustment"]


def test_late_usage_continues_up_the_tiers(in_acme: Tenant) -> None:
    """price(1,500) − price(800) = 12.50 − 8.00"""
    found = late(metered("graduated", tiers=TIERS), [800], [700])
    assert found == [("adjustment", "Units: late usage", "700", "4.50")]


def test_late_usage_that_reaches_a_cheaper_volume_is_a_credit(in_acme: Tenant) -> None:
    """101 × 0.5 − 100 × 1"""
    found = late(metered("volume", tiers=VOLUME), [100], [1])
    assert found == [("adjustment", "Units: late usage", "1", "-49.50")]
    line = Invoice.objects.get(period_start=FEBRUARY).lines.get(kind="adjustment")
    assert line.steps[-1]["kind"] == "credit"


def test_late_usage_within_an_open_package_costs_nothing(in_acme: Tenant) -> None:
    price = metered("package", package_size="1000", unit_amount="0.35")
    assert late(price, [400], [600]) == [("adjustment", "Units: late usage", "600", "0.00")]


def test_late_usage_below_a_minimum_costs_nothing(in_acme: Tenant) -> None:
    price = metered("per_unit", unit_amount="0.1", minimum_amount="10")
    assert late(price, [50], [50]) == [("adjustment", "Units: late usage", "50", "0.00")]


def test_a_late_event_takes_its_place_among_the_free_ones(in_acme: Tenant) -> None:
    """300; 300 cost 100 × 0.01 + 0.25 = 1.25. With 10 between them: 110 × 0.01 + 0.25 = 1.35."""
    price = metered("percentage", rate="0.01", fixed_amount="0.25", events_included=3, amount_included="500")
    assert late(price, [300, 300], [10]) == [("adjustment", "Units: late usage", "10", "0.10")]


def test_rounding_is_cumulative_over_late_usage(in_acme: Tenant) -> None:
    """Four times one unit at 0.004: 0.00 + 0.01 + 0.00 + 0.01, as many cents as four at once."""
    subscribed(metered("per_unit", unit_amount="0.004"))
    use("e0", "2026-01-10T00:00:00Z", units=1)
    close_due_periods(FEBRUARY)
    finalize_due_invoices(MARCH)
    for number, now in enumerate((MARCH, MARCH.replace(month=4), MARCH.replace(month=5)), start=1):
        use(f"e{number}", f"2026-01-{10 + number}T00:00:00Z", units=1)
        close_due_periods(now)
        finalize_due_invoices(now.replace(day=20))
    january = [
        line.amount
        for invoice in Invoice.objects.order_by("id")
        for line in invoice.lines.filter(period_start=invoice.subscription.started_at)
    ]
    assert january == [Decimal("0.00"), Decimal("0.01"), Decimal("0.00"), Decimal("0.01")]


def test_a_new_version_never_reprices_the_past(in_acme: Tenant) -> None:
    """January's late usage is priced by January's version, whatever is published since."""
    subscription = subscribed(metered("per_unit", unit_amount="1"))
    use("e0", "2026-01-10T00:00:00Z", units=1)
    close_due_periods(FEBRUARY)
    finalize_due_invoices(FEBRUARY.replace(day=3))
    publish_next(
        subscription.plan_version, metered("per_unit", unit_amount="100"), now=FEBRUARY.replace(day=3)
    )
    use("late", "2026-01-11T00:00:00Z", units=2)
    close_due_periods(MARCH)
    assert ("adjustment", "Units: late usage", "2", "2.00") in lines(
        Invoice.objects.get(period_start=FEBRUARY)
    )
