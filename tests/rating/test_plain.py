"""Numbers as text."""

from decimal import Decimal

import pytest

from apps.rating import grouped, plain


@pytest.mark.parametrize(
    ("number", "places", "text"),
    [
        ("0", 0, "0"),
        ("-0", 0, "0"),
        ("-0.000", 2, "0.00"),
        ("0E+5", 0, "0"),
        ("0E-30", 0, "0"),
        ("1E+3", 0, "1000"),
        ("2.5E-6", 0, "0.0000025"),
        ("0.500", 0, "0.5"),
        ("0.5", 2, "0.50"),
        ("12.5", 6, "12.500000"),
        ("1.234", 2, "1.234"),
        ("-1.10", 0, "-1.1"),
        ("-0.05", 2, "-0.05"),
        ("100", 0, "100"),
        ("1000000000000000000.000000000001", 0, "1000000000000000000.000000000001"),
    ],
)
def test_there_is_one_spelling_of_a_number(number: str, places: int, text: str) -> None:
    assert plain(Decimal(number), places) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [("18059974", "18,059,974"), ("0.0000025", "0.0000025"), ("-1234.50", "-1,234.5"), ("999", "999")],
)
def test_groups_digits_for_people(number: str, text: str) -> None:
    assert grouped(Decimal(number)) == text
