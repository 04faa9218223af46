"""The one function that rates: the same for previews, invoices, forecasts and alerts."""

from dataclasses import replace
from decimal import localcontext
from fractions import Fraction

from apps.rating.charge import Charge, Step, StepKind, Usage, sum_of
from apps.rating.errors import CurrencyError, RatingError
from apps.rating.exact import EXACT, ZERO, settle
from apps.rating.money import minor_units, round_amount
from apps.rating.prices.base import Price, UsagePrice
from apps.rating.proration import proration_step
from apps.rating.words import Words


def rate(
    definition: Price,
    usage: Usage,
    *,
    currency: str,
    unit: str = "",
    proration: Fraction | None = None,
) -> Charge:
    """Rate the usage of one period under one price and explain every step."""
    words = Words(currency, minor_units(currency), unit)
    if definition.currency not in (None, currency):
        raise CurrencyError.of("mixed_currencies", f"The price is in {definition.currency}, not {currency}")
    with localcontext(EXACT):
        steps = _priced(definition, usage, words)
        total = sum_of(steps)
        if proration is not None:
            if not definition.can_be_prorated:
                raise RatingError.of("not_proratable", f"A {definition.model} price is never prorated")
            steps.append(proration_step(total, proration, words))
            total = sum_of(steps)
    return Charge(round_amount(total, currency), total, currency, usage.quantity, tuple(steps))


def _priced(definition: Price, usage: Usage, words: Words) -> list[Step]:
    if not isinstance(definition, UsagePrice):
        return definition.rows(usage.quantity, usage, words)
    quantity, exact = usage.quantity, True
    steps = []
    if definition.convert is not None:
        quantity, exact = definition.convert.apply(usage.quantity)
        steps.append(definition.convert.step(usage.quantity, quantity, words))
        words = Words(words.currency, words.places, "units")
    if definition.quantity_included:
        included = min(quantity, definition.quantity_included)
        quantity -= included
        text = f"{words.units(included)} of {words.units(definition.quantity_included)} included"
        steps.append(Step(StepKind.INCLUDED, text, quantity=included))
    steps.extend(definition.rows(quantity, usage, words))
    return steps if exact else _settled(steps)


def _settled(rows: list[Step]) -> list[Step]:
    """Settle what an inexact conversion made endless, so that the rows still sum to the settled total."""
    settled = []
    running = ZERO
    for row in rows:
        quantity = None if row.quantity is None else settle(row.quantity)
        amount = None
        if row.amount is not None:
            before, running = running, running + row.amount
            amount = settle(running) - settle(before)
        settled.append(replace(row, quantity=quantity, amount=amount))
    return settled
