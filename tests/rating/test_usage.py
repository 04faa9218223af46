"""Usage: what is refused, and what a price model needs to know."""

from decimal import Decimal
from fractions import Fraction

import pytest

from apps.rating import (
    AlreadyBilled,
    CurrencyError,
    Dynamic,
    Event,
    Flat,
    Percentage,
    PerUnit,
    Price,
    RatingError,
    Usage,
    UsageError,
    parse_already_billed,
    parse_usage,
    rate,
    rate_delta,
)
from tests.rating.test_parse_price import BAD_NUMBERS

D = Decimal


@pytest.mark.parametrize(("value", "code"), BAD_NUMBERS, ids=lambda value: repr(value)[:30])
def test_refuses_a_quantity_that_is_no_plain_decimal(value: object, code: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_usage({"quantity": value})

    assert [(problem.code, problem.pointer) for problem in refused.value.problems] == [(code, "/quantity")]


@pytest.mark.parametrize(
    ("data", "code", "pointer"),
    [
        ([], "invalid_type", ""),
        ({}, "missing_field", "/quantity"),
        ({"quantity": "1", "event_count": "x"}, "invalid_number", "/event_count"),
        ({"quantity": "1", "event_count": -1}, "negative", "/event_count"),
        ({"quantity": "1", "event_count": 1.0}, "invalid_type", "/event_count"),
        ({"quantity": "1", "events": "x"}, "invalid_type", "/events"),
        ({"quantity": "1", "events": [{"quantity": "-1"}]}, "negative", "/events/0/quantity"),
        ({"quantity": "1", "events": [{"quantity": "1"}, {}]}, "missing_field", "/events/1/quantity"),
        (
            {"quantity": "1", "events": [{"quantity": "1", "unit_amount": "x"}]},
            "invalid_number",
            "/events/0/unit_amount",
        ),
        ({"quantity": "1", "tokens": 5}, "unknown_field", "/tokens"),
    ],
)
def test_refuses_malformed_usage(data: object, code: str, pointer: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_usage(data)

    assert (refused.value.code, refused.value.pointer) == (code, pointer)


def test_reads_usage() -> None:
    usage = parse_usage(
        {"quantity": "3", "event_count": 2, "events": [{"quantity": "1", "unit_amount": "0.1"}]}
    )

    assert usage == Usage(D(3), 2, (Event(D(1), D("0.1")),))


def test_the_quantity_of_listed_events_is_their_sum() -> None:
    usage = parse_usage(
        {"events": [{"quantity": "999999999999999999"}, {"quantity": "0.000000000000000001"}]}
    )

    assert usage.quantity == D("999999999999999999.000000000000000001")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((1.5,), "invalid_type"),
        ((2,), "invalid_type"),
        (("2",), "invalid_type"),
        ((D("NaN"),), "not_finite"),
        ((D("-0.01"),), "negative"),
        ((D("1e400"),), "out_of_range"),
        ((D("1e-19"),), "too_many_decimals"),
        ((D(1), -1), "negative"),
        ((D(1), 1.0), "negative"),
    ],
)
def test_the_constructor_refuses_too(arguments: tuple[object, ...], code: str) -> None:
    with pytest.raises(UsageError) as refused:
        Usage(*arguments)  # type: ignore[arg-type]

    assert refused.value.code == code


def test_events_are_checked() -> None:
    with pytest.raises(UsageError):
        Event(D(1), D("-1"))
    with pytest.raises(UsageError):
        Event(0.1)  # type: ignore[arg-type]


FREE_EVENTS = Percentage(rate=D("0.01"), events_included=2)
FREE_MONEY_AND_FEE = Percentage(rate=D("0.01"), fixed_amount=D("0.1"), amount_included=D(10))


@pytest.mark.parametrize(
    ("price", "usage", "code", "pointer"),
    [
        (Dynamic(), Usage(D(1)), "quantity_mismatch", "/quantity"),
        (Dynamic(), Usage(D(2), 1, (Event(D(1), D(1)),)), "quantity_mismatch", "/quantity"),
        (Dynamic(), Usage(D(1), 1, (Event(D(1)),)), "missing_field", "/events/0/unit_amount"),
        (FREE_EVENTS, Usage(D(100), 3), "events_required", "/events"),
        (FREE_EVENTS, Usage(D(100), 3, (Event(D(50)),)), "events_required", "/events"),
        (FREE_EVENTS, Usage(D(100), 1, (Event(D(50)), Event(D(50)))), "event_count_mismatch", "/event_count"),
        (FREE_EVENTS, Usage(D(100), 2, (Event(D(50)), Event(D(51)))), "quantity_mismatch", "/quantity"),
        (FREE_EVENTS, Usage(D(100), 0, (Event(D(50)),)), "quantity_mismatch", "/quantity"),
        (FREE_EVENTS, Usage(D(100), 9, (Event(D(101)),)), "quantity_mismatch", "/quantity"),
        (FREE_MONEY_AND_FEE, Usage(D(100), 3), "events_required", "/events"),
    ],
)
def test_a_model_refuses_usage_that_leaves_its_amount_open(
    price: Price, usage: Usage, code: str, pointer: str
) -> None:
    with pytest.raises(UsageError) as refused:
        rate(price, usage, currency="USD")

    assert (refused.value.code, refused.value.pointer) == (code, pointer)


@pytest.mark.parametrize(
    ("price", "usage", "amount"),
    [
        (FREE_EVENTS, Usage(D(100), 2), "0.00"),
        (FREE_EVENTS, Usage(D(0)), "0.00"),
        (FREE_MONEY_AND_FEE, Usage(D(10), 4), "0.00"),
        (FREE_EVENTS, Usage(D(1000), 50, (Event(D(10)), Event(D(20)))), "9.70"),
        (FREE_EVENTS, Usage(D(1000), 50, (Event(D(10)), Event(D(20)), Event(D(5)))), "9.70"),
        (FREE_MONEY_AND_FEE, Usage(D(110), 5, (Event(D(8)), Event(D(4)))), "1.40"),
    ],
)
def test_events_are_needed_only_as_far_as_the_free_part_goes(price: Price, usage: Usage, amount: str) -> None:
    assert str(rate(price, usage, currency="USD").amount) == amount


def test_refuses_an_unknown_or_another_currency() -> None:
    price = PerUnit(unit_amount=D(1), currency="EUR")
    with pytest.raises(CurrencyError) as mixed:
        rate(price, Usage(D(1)), currency="USD")
    with pytest.raises(CurrencyError) as unknown:
        rate(Flat(flat_amount=D(1)), Usage(D(1)), currency="usd")

    assert mixed.value.code == "mixed_currencies"
    assert unknown.value.code == "unknown_currency"


def test_usage_of_events_is_never_prorated() -> None:
    with pytest.raises(RatingError) as refused:
        rate(Dynamic(), Usage(D(0)), currency="USD", proration=Fraction(1, 2))

    assert refused.value.code == "not_proratable"


@pytest.mark.parametrize(
    ("data", "code", "pointer"),
    [
        ({"quantity": "1"}, "missing_field", "/amount"),
        ({"quantity": "1", "amount": "NaN"}, "invalid_number", "/amount"),
        ({"quantity": "x", "amount": "1"}, "invalid_number", "/quantity"),
        ("x", "invalid_type", ""),
    ],
)
def test_refuses_malformed_billed_amounts(data: object, code: str, pointer: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_already_billed(data)

    assert (refused.value.code, refused.value.pointer) == (code, pointer)


def test_refuses_a_billed_amount_that_was_never_rounded() -> None:
    billed = AlreadyBilled(quantity=D(1), amount=D("0.005"))
    with pytest.raises(UsageError) as refused:
        rate_delta(PerUnit(unit_amount=D(1)), Usage(D(1)), billed, currency="USD")

    assert refused.value.code == "not_whole_minor_units"
