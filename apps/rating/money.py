"""Money: minor units, the one rounding rule, and splitting an amount without losing a cent."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from iso4217 import Currency

from apps.rating.errors import CurrencyError, RatingError
from apps.rating.exact import EXACT, ZERO, round_half_up

_MINOR_UNITS: dict[str, int] = {
    currency.code: currency.exponent for currency in Currency if currency.exponent is not None
}
_STEPS: dict[str, Decimal] = {code: Decimal(1).scaleb(-places) for code, places in _MINOR_UNITS.items()}


def has_minor_units(currency: str) -> bool:
    """Whether amounts in this currency can be rounded: an upper-case ISO 4217 code with a minor unit."""
    return currency in _MINOR_UNITS


def minor_units(currency: str) -> int:
    """Number of decimals of a currency: JPY 0, USD 2, KWD 3 (ISO 4217, table of the `iso4217` library).

    Raises CurrencyError `unknown_currency` for anything that is not an upper-case code with a minor unit;
    gold (XAU) and test codes (XXX) have none.
    """
    places = _MINOR_UNITS.get(currency)
    if places is None:
        raise CurrencyError.of("unknown_currency", f"{currency!r} is no ISO 4217 currency with a minor unit")
    return places


def round_amount(amount: Decimal, currency: str) -> Decimal:
    """Round half-up to the currency's minor unit, ties away from zero, so that a credit mirrors its charge.

    This happens once, at the invoice line. The result is never minus zero.
    """
    minor_units(currency)
    return EXACT.add(round_half_up(amount, _STEPS[currency]), ZERO)


def allocate(amount: Decimal, weights: Sequence[Decimal | int], currency: str) -> tuple[Decimal, ...]:
    """Split an amount by weights without losing a cent.

    Each share is first cut down to whole minor units; leftover units go to the largest remainders. Ties keep
    input order, so a re-run prints the same invoice. A negative amount is split as its mirror image.

    Raises RatingError `not_whole_minor_units` for an amount that is not rounded, `invalid_weights` for a
    negative weight or weights that sum to zero.
    """
    places = minor_units(currency)
    units = Fraction(EXACT.scaleb(amount, places))
    if units.denominator != 1:
        raise RatingError.of(
            "not_whole_minor_units", f"{amount} is no whole number of {currency} minor units"
        )
    shares = [Fraction(weight) for weight in weights]
    total = sum(shares)
    if total <= 0 or min(shares) < 0:
        raise RatingError.of("invalid_weights", "Weights are zero or more, and at least one is more")

    exact = [abs(units.numerator) * share / total for share in shares]
    parts = [int(share) for share in exact]
    left_over = abs(units.numerator) - sum(parts)
    by_remainder = sorted(range(len(parts)), key=lambda index: parts[index] - exact[index])
    for index in by_remainder[:left_over]:
        parts[index] += 1
    sign = -1 if units < 0 else 1
    return tuple(EXACT.scaleb(Decimal(sign * part), -places) for part in parts)
