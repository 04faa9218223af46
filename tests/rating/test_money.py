"""Minor units, rounding and allocation."""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.rating import CurrencyError, RatingError, allocate, minor_units, plain, round_amount
from tests.rating.strategies import CURRENCIES, decimals, law

D = Decimal


@pytest.mark.parametrize(
    ("currency", "places"),
    [
        ("JPY", 0),
        ("KRW", 0),
        ("USD", 2),
        ("EUR", 2),
        ("HUF", 2),
        ("KWD", 3),
        ("BHD", 3),
        ("TND", 3),
        ("CLF", 4),
    ],
)
def test_minor_units_are_those_of_iso_4217(currency: str, places: int) -> None:
    assert minor_units(currency) == places


@pytest.mark.parametrize("currency", ["usd", "USDT", "", "XXX", "XAU", "Dollar", "us", "USD "])
def test_refuses_what_is_no_currency_with_a_minor_unit(currency: str) -> None:
    with pytest.raises(CurrencyError) as refused:
        minor_units(currency)

    assert refused.value.code == "unknown_currency"


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("4.275", "USD", "4.28"),
        ("0.2526", "USD", "0.25"),
        ("4.995", "USD", "5.00"),
        ("0.005", "USD", "0.01"),
        ("0.015", "USD", "0.02"),
        ("0.0049999999999999999999999999", "USD", "0.00"),
        ("-0.005", "USD", "-0.01"),
        ("-4.275", "USD", "-4.28"),
        ("-0.004", "USD", "0.00"),
        ("0.5", "JPY", "1"),
        ("1.5", "JPY", "2"),
        ("2.4999", "JPY", "2"),
        ("-0.5", "JPY", "-1"),
        ("0.0005", "KWD", "0.001"),
        ("1.2344", "KWD", "1.234"),
        ("7", "USD", "7.00"),
        ("123456789012345678901234567890.125", "USD", "123456789012345678901234567890.13"),
    ],
)
def test_rounds_half_away_from_zero(amount: str, currency: str, rounded: str) -> None:
    assert str(round_amount(D(amount), currency)) == rounded


def test_rounding_refuses_an_unknown_currency() -> None:
    with pytest.raises(CurrencyError):
        round_amount(D(1), "ABC")


@law
@given(decimals(least="-1000", places=9), CURRENCIES)
def test_a_credit_mirrors_its_charge(amount: Decimal, currency: str) -> None:
    assert round_amount(-amount, currency) == -round_amount(amount, currency)


@pytest.mark.parametrize(
    ("amount", "weights", "currency", "parts"),
    [
        ("10.00", [1, 1, 1], "USD", ["3.34", "3.33", "3.33"]),
        ("0.05", [3, 7], "USD", ["0.02", "0.03"]),
        ("0.01", [1, 1], "USD", ["0.01", "0.00"]),
        ("0.01", [1, 2], "USD", ["0.00", "0.01"]),
        ("100.00", [50, 30, 20], "USD", ["50.00", "30.00", "20.00"]),
        ("100", [1, 1, 1], "JPY", ["34", "33", "33"]),
        ("1.000", [1, 1, 1], "KWD", ["0.334", "0.333", "0.333"]),
        ("-10.00", [1, 1, 1], "USD", ["-3.34", "-3.33", "-3.33"]),
        ("0.00", [1, 2], "USD", ["0.00", "0.00"]),
        ("5.00", [0, 1, 0], "USD", ["0.00", "5.00", "0.00"]),
        ("7.00", [1], "USD", ["7.00"]),
        ("1E+2", [1, 3], "USD", ["25.00", "75.00"]),
    ],
)
def test_allocates_the_remainder_to_the_largest_fractions(
    amount: str, weights: list[Decimal | int], currency: str, parts: list[str]
) -> None:
    assert [plain(part, minor_units(currency)) for part in allocate(D(amount), weights, currency)] == parts


def test_weights_may_be_amounts() -> None:
    assert allocate(D("1.00"), [D("19.99"), D("0.01"), D("80.00")], "USD") == (
        D("0.20"),
        D("0.00"),
        D("0.80"),
    )


@pytest.mark.parametrize(
    ("amount", "weights", "code"),
    [
        ("1.005", [1], "not_whole_minor_units"),
        ("1.00", [], "invalid_weights"),
        ("1.00", [0, 0], "invalid_weights"),
        ("1.00", [2, -1], "invalid_weights"),
    ],
)
def test_refuses_what_can_not_be_allocated(amount: str, weights: list[Decimal | int], code: str) -> None:
    with pytest.raises(RatingError) as refused:
        allocate(D(amount), weights, "USD")

    assert refused.value.code == code


weight_lists = st.lists(st.one_of(st.integers(0, 10**6), decimals(places=3)), min_size=1, max_size=12)


@law
@given(st.integers(-(10**12), 10**12), weight_lists, CURRENCIES)
def test_allocation_never_loses_a_minor_unit(units: int, weights: list[Decimal | int], currency: str) -> None:
    assume(sum(map(Fraction, weights)) > 0)
    step = Fraction(1, 10 ** minor_units(currency))
    amount = D(units).scaleb(-minor_units(currency))
    with localcontext() as context:
        context.prec = 5  # the caller's context has no influence
        parts = allocate(amount, weights, currency)

    assert sum(map(Fraction, parts)) == Fraction(amount)
    for part, weight in zip(parts, weights, strict=True):
        share = Fraction(amount) * Fraction(weight) / sum(map(Fraction, weights))
        assert abs(Fraction(part) - share) < step
        assert weight != 0 or part == 0


@law
@given(st.integers(0, 10**9), weight_lists)
def test_a_larger_weight_never_gets_less(units: int, weights: list[Decimal | int]) -> None:
    assume(sum(map(Fraction, weights)) > 0)
    parts = allocate(D(units).scaleb(-2), weights, "USD")

    ordered = sorted(zip(weights, parts, strict=True), key=lambda pair: (pair[0], pair[1]))
    for (lighter, less), (heavier, more) in pairwise(ordered):
        assert less <= more or lighter == heavier
