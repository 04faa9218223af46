"""Proration of fixed amounts."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.rating import Flat, RatingError, Usage, prorate, prorate_parts, rate, round_amount
from tests.rating.strategies import fees, law

D = Decimal
DAY = 86_400


def test_fifteen_days_of_thirty() -> None:
    amount = prorate(D("9.99"), 15, 30)

    assert amount == D("4.995")
    assert round_amount(amount, "USD") == D("5.00")


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 1, "0"),
        (1, 1, "31"),
        (1, 31, "1"),
        (23 * 3600, 31 * DAY, "0.958333333333333333333333"),
        (25 * 3600, 31 * DAY, "1.041666666666666666666667"),
        (3, 2, "46.5"),
    ],
)
def test_days_of_23_and_25_hours_count_their_seconds(part: int, whole: int, expected: str) -> None:
    assert prorate(D(31), part, whole) == D(expected)


def test_parts_that_fill_the_whole_sum_to_the_amount() -> None:
    parts = prorate_parts(D(10), [1, 1, 1], 3)

    assert parts == (
        D("3.333333333333333333333333"),
        D("3.333333333333333333333334"),
        D("3.333333333333333333333333"),
    )


@law
@given(fees, st.lists(st.integers(0, 40 * DAY), min_size=1, max_size=8))
def test_parts_sum_exactly_however_the_period_is_cut(amount: Decimal, parts: list[int]) -> None:
    whole = sum(parts) or 1
    found = prorate_parts(amount, parts, whole)

    assert sum(map(Fraction, found)) == Fraction(prorate(amount, sum(parts), whole))
    assert all(part >= 0 for part in found)


@pytest.mark.parametrize(("part", "whole"), [(-1, 30), (1, 0), (1, -30)])
def test_refuses_what_is_no_part_of_a_period(part: int, whole: int) -> None:
    with pytest.raises(RatingError) as refused:
        prorate(D(1), part, whole)

    assert refused.value.code == "invalid_fraction"


def test_a_charge_refuses_a_negative_part() -> None:
    with pytest.raises(RatingError) as refused:
        rate(Flat(flat_amount=D(1)), Usage(D(0)), currency="USD", proration=Fraction(-1, 2))

    assert refused.value.code == "invalid_fraction"
