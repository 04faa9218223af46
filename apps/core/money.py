"""Money as text."""

from decimal import Decimal

from babel.numbers import format_currency, get_currency_symbol

from apps.rating import minor_units, round_amount


def money_text(amount: Decimal | int, currency: str) -> str:
    """A rounded amount with all decimals of its currency, for programs: `47.60`, `500` (JPY)."""
    return format(round_amount(Decimal(amount), currency), "f")


def money_display(amount: Decimal | int, currency: str) -> str:
    """The same for people: `$1,047.60`, `¥500`, `-€3.00`, `KWD 1.235`."""
    places = minor_units(currency)
    # Our own pattern: the locale's shows two decimals for yen, and its table of currencies is not ISO 4217's.
    gap = "\u00a0" if get_currency_symbol(currency, "en")[-1].isalpha() else ""
    pattern = f"¤{gap}#,##0" + ("." + "0" * places if places else "")
    rounded = round_amount(Decimal(amount), currency)
    return str(format_currency(rounded, currency, pattern, locale="en", currency_digits=False))
