"""Money as text: every currency with its own decimals."""

from decimal import Decimal

import pytest

from apps.core.money import money_display, money_text


@pytest.mark.parametrize(
    ("amount", "currency", "text", "display"),
    [
        ("47.6", "USD", "47.60", "$47.60"),
        ("1047.605", "USD", "1047.61", "$1,047.61"),
        ("-3", "EUR", "-3.00", "-€3.00"),
        ("500", "JPY", "500", "¥500"),
        ("0.5", "JPY", "1", "¥1"),
        ("1.2345", "KWD", "1.235", None),
        ("0", "USD", "0.00", "$0.00"),
        ("12345678901234567890.12", "USD", "12345678901234567890.12", "$12,345,678,901,234,567,890.12"),
    ],
)
def test_is_written_with_all_its_decimals(amount: str, currency: str, text: str, display: str | None) -> None:
    assert money_text(Decimal(amount), currency) == text
    if display:
        assert money_display(Decimal(amount), currency) == display


def test_display_of_a_currency_with_three_decimals() -> None:
    assert money_display(Decimal("1.2345"), "KWD").endswith("1.235")
