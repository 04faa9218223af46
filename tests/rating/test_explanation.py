"""The rows that explain a charge, as a customer reads them."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from apps.rating import (
    AlreadyBilled,
    Event,
    Usage,
    charge_to_dict,
    parse_price,
    rate,
    rate_delta,
)

D = Decimal


def rows(price: dict[str, Any], quantity: str, unit: str = "", **more: Any) -> list[str]:
    events = tuple(
        Event(D(amount), None if each is None else D(each)) for amount, each in more.pop("events", ())
    )
    charge = rate(
        parse_price(price),
        Usage(D(quantity), more.pop("count", 0), events),
        currency="USD",
        unit=unit,
        **more,
    )
    return [f"{step.kind}: {step.description}" for step in charge.steps]


@pytest.mark.parametrize(
    ("price", "quantity", "expected"),
    [
        ({"model": "flat", "flat_amount": "9.99"}, "3", ["flat: Flat fee 9.99 USD"]),
        (
            {"model": "per_unit", "unit_amount": "0.0000025"},
            "18059974",
            ["unit: 18,059,974 tokens × 0.0000025 USD"],
        ),
        (
            {"model": "per_unit", "unit_amount": "1"},
            "0.000000000000000001",
            ["unit: 0.000000000000000001 tokens × 1 USD"],
        ),
        (
            {"model": "per_unit", "unit_amount": "0.01", "quantity_included": "1000"},
            "400",
            ["included: 400 tokens of 1,000 tokens included", "unit: 0 tokens × 0.01 USD"],
        ),
        (
            {
                "model": "graduated",
                "tiers": [
                    {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "5"},
                    {"up_to": None, "unit_amount": "0.005"},
                ],
            },
            "1500",
            [
                "tier: Tier 1 (up to 1,000): 1,000 tokens × 0.01 USD + 5 USD",
                "tier: Tier 2: 500 tokens × 0.005 USD",
            ],
        ),
        (
            {
                "model": "volume",
                "tiers": [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}],
            },
            "1500",
            ["tier: Tier 2: 1,500 tokens × 0.005 USD"],
        ),
        (
            {"model": "package", "package_size": "1000", "unit_amount": "0.35"},
            "1001",
            ["package: 1,001 tokens in 2 packages of 1,000 tokens × 0.35 USD"],
        ),
        (
            {
                "model": "graduated_percentage",
                "tiers": [{"up_to": None, "rate": "0.015", "flat_amount": "10"}],
            },
            "1000",
            ["tier: Tier 1: 1.5 % of 1,000.00 USD + 10 USD"],
        ),
        (
            {"model": "cost_plus", "multiplier": "1.2"},
            "0.004167",
            ["cost: Cost of 0.004167 USD × 1.2"],
        ),
        (
            {"model": "per_unit", "unit_amount": "0.05", "convert": {"divide_by": "1000", "rounding": "up"}},
            "1500",
            ["convert: 1,500 tokens ÷ 1,000 = 2, rounded up", "unit: 2 units × 0.05 USD"],
        ),
        (
            {"model": "per_unit", "unit_amount": "2", "convert": {"divide_by": "3600"}},
            "1",
            ["convert: 1 tokens ÷ 3,600 = 0.000277777777…", "unit: 0.000277777777… units × 2 USD"],
        ),
        (
            {"model": "per_unit", "unit_amount": "1", "discount_percent": "12.5", "minimum_amount": "100"},
            "40",
            [
                "unit: 40 tokens × 1 USD",
                "discount: Discount of 12.5 % on 40.00 USD",
                "minimum: True-up from 35.00 USD to the minimum of 100.00 USD",
            ],
        ),
        (
            {"model": "per_unit", "unit_amount": "1", "discount_amount": "5", "maximum_amount": "30"},
            "40",
            [
                "unit: 40 tokens × 1 USD",
                "discount: Discount of 5.00 USD on 40.00 USD",
                "maximum: Maximum of 30.00 USD applied to 35.00 USD",
            ],
        ),
        (
            {
                "model": "per_unit",
                "unit_amount": "1",
                "commitment": {"amount": "100", "overage_factor": "1.5"},
            },
            "150",
            [
                "unit: 150 tokens × 1 USD",
                "commitment: 100.00 USD within the commitment of 100.00 USD",
                "overage: Overage of 50.00 USD × 1.5 = 75.00 USD",
            ],
        ),
        (
            {"model": "per_unit", "unit_amount": "2", "commitment": {"quantity": "100", "true_up": True}},
            "40",
            [
                "unit: 40 tokens × 2 USD",
                "commitment: 80.00 USD within the commitment of 100 tokens, worth 200.00 USD",
                "true_up: True-up to the commitment of 200.00 USD",
            ],
        ),
    ],
)
def test_each_step_leaves_a_row(price: dict[str, Any], quantity: str, expected: list[str]) -> None:
    assert rows(price, quantity, unit="tokens") == expected


def test_a_limit_that_is_just_met_leaves_no_row() -> None:
    price = {"model": "per_unit", "unit_amount": "1", "minimum_amount": "40", "maximum_amount": "40"}

    assert rows(price, "40") == ["unit: 40 × 1 USD"]


def test_an_endless_quantity_is_shown_with_24_decimals() -> None:
    price = parse_price({"model": "per_unit", "unit_amount": "2", "convert": {"divide_by": "3600"}})
    charge = rate(price, Usage(D(1)), currency="USD")

    assert [step.quantity for step in charge.steps] == [D("0.000277777777777777777778")] * 2


def test_rows_of_a_percentage() -> None:
    price = {"model": "percentage", "rate": "0.012", "fixed_amount": "0.10", "amount_included": "500"}

    assert rows(price, "550", events=[("300", None), ("200", None), ("50", None)]) == [
        "included: 500.00 USD and 2 events included",
        "percentage: 1.2 % of 50.00 USD",
        "fixed: 1 event × 0.1 USD",
    ]


def test_rows_of_dynamic_events_are_one_per_unit_price_and_the_dearest_first() -> None:
    found = [("5", "0.1"), ("2", "0.3"), ("5", "0.10")]

    assert rows({"model": "dynamic"}, "12", unit="images", events=found) == [
        "event: 2 images × 0.3 USD",
        "event: 10 images × 0.1 USD",
    ]


def test_free_units_of_a_dynamic_price_leave_no_row_of_their_own() -> None:
    price = {"model": "dynamic", "quantity_included": "3"}

    assert rows(price, "5", unit="images", events=[("3", "0.3"), ("2", "0.1")]) == [
        "included: 3 images of 3 images included",
        "event: 2 images × 0.1 USD",
    ]


def test_a_proration_names_its_part() -> None:
    assert rows({"model": "flat", "flat_amount": "9.99"}, "0", proration=Fraction(15, 30)) == [
        "flat: Flat fee 9.99 USD",
        "proration: 1/2 of the period: 4.995 USD of 9.99 USD",
    ]


def test_a_reversal_is_a_credit_row() -> None:
    price = parse_price({"model": "per_unit", "unit_amount": "0.01"})
    billed = AlreadyBilled(quantity=D(100), amount=D("1.00"))
    charge = rate_delta(price, Usage(D(60)), billed, currency="USD", unit="calls")

    assert charge.is_credit
    assert charge.quantity == -40
    assert [(step.kind, step.description, step.amount) for step in charge.steps[1:]] == [
        ("already_billed", "0.60 USD of the 1.00 USD already billed for 100 calls", D("-0.60")),
        ("credit", "Credit of 0.40 USD: billed more than is due", D("-0.40")),
    ]
    assert charge.steps[-1].quantity == 40


def test_what_was_given_back_of_a_void_bill_is_charged_again() -> None:
    """Nothing was billed, then 0.40, which came back on a third bill; then the second was made void."""
    price = parse_price({"model": "per_unit", "unit_amount": "0.01"})
    stands = AlreadyBilled(quantity=D(-40), amount=D("-0.40"))
    charge = rate_delta(price, Usage(D(60)), stands, currency="USD", unit="calls")

    assert (charge.quantity, charge.amount, charge.is_credit) == (100, D("1.00"), False)
    assert [(step.kind, step.description, step.quantity, step.amount) for step in charge.steps[1:]] == [
        ("already_billed", "Given back too much before: 0.40 USD", -40, D("0.40")),
    ]


def test_a_charge_as_the_api_shows_it() -> None:
    price = parse_price(
        {
            "model": "graduated",
            "tiers": [
                {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "0"},
                {"up_to": None, "unit_amount": "0.005"},
            ],
        }
    )
    charge = rate(price, Usage(D(1500), 12), currency="USD", unit="tokens")

    assert charge_to_dict(charge) == {
        "amount": "12.50",
        "unrounded_amount": "12.500000",
        "currency": "USD",
        "quantity": "1500",
        "steps": [
            {
                "kind": "tier",
                "description": "Tier 1 (up to 1,000): 1,000 tokens × 0.01 USD",
                "quantity": "1000",
                "unit_amount": "0.01",
                "flat_amount": "0",
                "amount": "10.00",
            },
            {
                "kind": "tier",
                "description": "Tier 2: 500 tokens × 0.005 USD",
                "quantity": "500",
                "unit_amount": "0.005",
                "flat_amount": "0",
                "amount": "2.50",
            },
        ],
    }


def test_the_commitment_is_part_of_what_the_api_shows() -> None:
    price = parse_price(
        {"model": "per_unit", "unit_amount": "1", "commitment": {"amount": "9", "overage_factor": "2"}}
    )
    charge = rate(price, Usage(D(10)), currency="JPY")

    assert charge_to_dict(charge)["commitment"] == {"within": "9", "overage": "2", "true_up": "0"}
