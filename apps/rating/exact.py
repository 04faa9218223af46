"""Exact decimal arithmetic and its plain spelling.

Every operation of the package runs in `EXACT`: 250 digits, and a result that would need rounding raises
`Inexact`. Inputs have at most 20 digits before and 18 after the point (NUMERIC(38,18)), so that the longest
product of the pipeline (quantity × conversion × unit amount × discount × overage factor) needs 190 digits.

Only a division can fail to terminate: a unit conversion or a proration. Its quotient is carried with 60
decimals and the amount made from it is settled at 24. An amount that terminates is recovered exactly, so a
tie stays a tie.
"""

from collections.abc import Iterable
from decimal import (
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Underflow,
    localcontext,
)
from fractions import Fraction

INTEGER_DIGITS = 20
DECIMALS = 18

QUOTIENT_DECIMALS = 60
SETTLED_DECIMALS = 24

ZERO = Decimal(0)
ONE = Decimal(1)

EXACT = Context(
    prec=250,
    rounding=ROUND_HALF_UP,
    traps=[InvalidOperation, DivisionByZero, Overflow, Underflow, Inexact],
)
_ROUNDING = Context(prec=250, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
# Short enough that EXACT can multiply a quotient back without rounding, which is how a quotient proves itself
# exact.
_DIVIDING = Context(prec=120, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
_QUOTIENT_STEP = Decimal(1).scaleb(-QUOTIENT_DECIMALS)
_SETTLED_STEP = Decimal(1).scaleb(-SETTLED_DECIMALS)


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """Add without losing a digit. Python's own context would cut a sum to 28 digits, in silence."""
    with localcontext(EXACT):
        return sum(values, ZERO)


def round_half_up(value: Decimal, step: Decimal) -> Decimal:
    """Round to a multiple of a power of ten, ties away from zero: -0.005 is -0.01."""
    return value.quantize(step, context=_ROUNDING)


def settle(amount: Decimal) -> Decimal:
    """Round an amount that came out of a non-terminating division to 24 decimals."""
    return round_half_up(amount, _SETTLED_STEP)


def quotient(value: Decimal, divisor: Decimal) -> Decimal:
    """Divide. A quotient that ends is exact; an endless one is carried with 60 decimals."""
    result = _DIVIDING.divide(value, divisor)
    if EXACT.multiply(result, divisor) == value:
        return result
    return round_half_up(result, _QUOTIENT_STEP)


def is_endless(value: Decimal) -> bool:
    """Whether a number comes from a division that doesn't end within 59 decimals."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent <= -QUOTIENT_DECIMALS


def multiply_fraction(amount: Decimal, fraction: Fraction) -> Decimal:
    """Multiply an amount by a fraction: exact where it ends, else settled at 24 decimals."""
    product = EXACT.multiply(amount, Decimal(fraction.numerator))
    result = quotient(product, Decimal(fraction.denominator))
    return settle(result) if is_endless(result) else result


def decimals_of(value: Decimal) -> int:
    """Number of decimals of a finite number, zeros at the end not counted."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    zeros = 0
    while zeros < len(digits) and digits[-1 - zeros] == 0:
        zeros += 1
    return 0 if zeros == len(digits) else max(0, -exponent - zeros)


def plain(value: Decimal, places: int = 0) -> str:
    """Spell a number the one canonical way: no exponent, no idle zeros beyond `places`, no minus zero.

    The same value gives the same string whatever the number of zeros it was entered with: 1E+3 is "1000",
    0.500 is "0.5", and "0.50" with two places.
    """
    return _spelled(f"{value:f}", places)


def grouped(value: Decimal, places: int = 0) -> str:
    """As `plain`, with commas between thousands, for people: "18,059,974"."""
    return _spelled(f"{value:,f}", places)


def _spelled(text: str, places: int) -> str:
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0").ljust(places, "0")
    if whole == "-0" and not decimals.strip("0"):
        whole = "0"
    return f"{whole}.{decimals}" if decimals else whole
