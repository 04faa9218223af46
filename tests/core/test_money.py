"""Money as people read it."""

from decimal import Decimal

import pytest

from apps.core.money import money_display


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1047.6", "USD", "$1,047.60"),
        ("500", "JPY", "¥500"),
        ("1.2345", "KWD", "KWD\u00a01.235"),
        ("-3", "EUR", "-€3.00"),
        ("0.005", "USD", "$0.01"),
        ("4.5", "ALL", "ALL\u00a04.50"),
        ("0", "USD", "$0.00"),
    ],
)
def test_every_currency_has_its_own_decimals(amount: str, currency: str, text: str) -> None:
    assert money_display(Decimal(amount), currency) == text
