"""Proration: a part of a fixed amount for a part of a period, counted in seconds or in days by the caller."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from apps.rating.charge import Step, StepKind
from apps.rating.errors import RatingError
from apps.rating.exact import EXACT, multiply_fraction
from apps.rating.words import Words


def prorate(amount: Decimal, part: int, whole: int) -> Decimal:
    """Amount × part / whole, not rounded to the currency: 9.99 × 15/30 is 4.995.

    Exact where the decimals end (the rule of `rate` for divisions: else settled at 24 decimals, half-up).
    Round it once, at the invoice line. Raises RatingError `invalid_fraction` unless part ≥ 0 and whole > 0.
    """
    return multiply_fraction(amount, _fraction(part, whole))


def prorate_parts(amount: Decimal, parts: Sequence[int], whole: int) -> tuple[Decimal, ...]:
    """Prorate over consecutive parts of a period so that they sum exactly to prorating their union.

    Each part is the difference of two cumulative prorations. Parts that fill the whole therefore sum to the
    amount, even where a single one (10 × 1/3) doesn't end. To split an amount that is already rounded, use
    `allocate`.
    """
    cumulative = [prorate(amount, sum(parts[:count]), whole) for count in range(len(parts) + 1)]
    return tuple(EXACT.subtract(after, before) for before, after in pairwise(cumulative))


def proration_step(total: Decimal, fraction: Fraction, words: Words) -> Step:
    """The row that takes a full period's amount to its part (more than 1 for a long first period)."""
    if fraction < 0:
        raise RatingError.of("invalid_fraction", "A part of a period is zero or more")
    prorated = multiply_fraction(total, fraction)
    text = f"{fraction} of the period: {words.money(prorated)} of {words.money(total)}"
    return Step(StepKind.PRORATION, text, amount=prorated - total)


def _fraction(part: int, whole: int) -> Fraction:
    if part < 0 or whole <= 0:
        raise RatingError.of("invalid_fraction", "A part is zero or more of a period of more than zero")
    return Fraction(part, whole)
