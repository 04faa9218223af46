"""Money as text."""

from decimal import Decimal

from babel.numbers import format_currency

from apps.rating import round_amount


def money_text(amount: Decimal | int, currency: str) -> str:
    """A rounded amount with all decimals of its currency, for programs: `47.60`, `500` (JPY)."""
    return format(round_amount(Decimal(amount), currency), "f")


def money_display(amount: Decimal | int, currency: str) -> str:
    """The same for people: `$1,047.60`, `¥500`, `-€3.00`."""
    return str(
        format_currency(round_amount(Decimal(amount), currency), currency, locale="en", currency_digits=False)
    )
