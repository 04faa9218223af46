"""The one function that rates: the same for previews, invoices, forecasts and alerts."""

from decimal import Decimal, localcontext
from fractions import Fraction

from apps.rating.charge import Charge, CommitmentUse, Step, StepKind, Usage
from apps.rating.commitment import Commitment
from apps.rating.discount import discount_of, discount_step
from apps.rating.errors import CurrencyError, RatingError
from apps.rating.exact import EXACT, ZERO
from apps.rating.explanation import Explanation
from apps.rating.limits import maximum_step, minimum_step
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
    """Rate the usage of one period under one price and explain every step.

    Order: convert → included quantity → price → discount → commitment → maximum → minimum → proration. The
    commitment stands before the maximum, so that a maximum also caps overage, and before the minimum, so that
    a minimum never counts as overage. Proration comes last and scales the whole, so that the parts of a
    period sum to it. The total is rounded once, at the end; the rows sum to the unrounded total.

    `unit` names the metered unit in descriptions ("tokens"). `proration` is the part of a period that a
    recurring fee covers; models of events or of money refuse it with RatingError `not_proratable`. Raises
    CurrencyError `unknown_currency` or `mixed_currencies`, and UsageError if the model lacks what it needs.
    """
    words = Words(currency, minor_units(currency), unit)
    if definition.currency not in (None, currency):
        raise CurrencyError.of("mixed_currencies", f"The price is in {definition.currency}, not {currency}")
    if proration is not None and not definition.can_be_prorated:
        raise RatingError.of("not_proratable", f"A {definition.model} price is never prorated")
    explanation = Explanation()
    use = None
    with localcontext(EXACT):
        if isinstance(definition, UsagePrice):
            use = _rate_usage(definition, usage, explanation, words)
        else:
            explanation.add_all(definition.rows(usage.quantity, usage, words))
            explanation.add(discount_step(definition, explanation.total, words))
        explanation.add(maximum_step(definition, explanation.total, words))
        explanation.add(minimum_step(definition, explanation.total, words))
        if proration is not None:
            explanation.add(proration_step(explanation.total, proration, words))
        amount = round_amount(explanation.total, currency)
    return Charge(amount, explanation.total, currency, usage.quantity, tuple(explanation.steps), use)


def _rate_usage(
    price: UsagePrice, usage: Usage, explanation: Explanation, words: Words
) -> CommitmentUse | None:
    """Everything up to the commitment, which is what sets a usage price apart from a flat fee."""
    quantity = usage.quantity
    if price.convert is not None:
        quantity = price.convert.apply(usage.quantity)
        explanation.add(price.convert.step(usage.quantity, quantity, words))
        words = words.renamed("units")
    if price.quantity_included:
        included = min(quantity, price.quantity_included)
        quantity -= included
        text = f"{words.units(included)} of {words.units(price.quantity_included)} included"
        explanation.add(Step(StepKind.INCLUDED, text, quantity=included))
    explanation.add_all(price.rows(quantity, usage, words))
    if price.convert is not None:
        explanation.settle()
    explanation.add(discount_step(price, explanation.total, words))
    if price.commitment is None:
        return None
    committed = _committed_amount(price, price.commitment, usage, words)
    use = price.commitment.use(explanation.total, quantity, committed)
    explanation.add_all(price.commitment.steps(explanation.total, use, committed, words))
    return use


def _committed_amount(price: UsagePrice, commitment: Commitment, usage: Usage, words: Words) -> Decimal:
    """The promised amount, or what the promised quantity costs under the same price and discount."""
    if commitment.quantity is None:
        assert commitment.amount is not None
        return commitment.amount
    rows = price.rows(commitment.quantity, usage, words)
    full = sum((row.amount for row in rows if row.amount is not None), ZERO)
    return full - (discount_of(price, full) or ZERO)
