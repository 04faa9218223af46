"""Cumulative delta: what is still to bill once part of a period was billed.

For threshold billing, late usage and invoices in mid-period. The whole period is rated anew and what was
billed is taken off; rounding is cumulative, so that any number of bills adds up to the unsplit one to the
cent.
"""

from dataclasses import dataclass, replace
from decimal import Decimal, localcontext

from apps.rating.charge import Charge, Step, StepKind, Usage
from apps.rating.errors import Problem, UsageError
from apps.rating.exact import EXACT, ZERO
from apps.rating.money import minor_units, round_amount
from apps.rating.pipeline import rate
from apps.rating.prices.base import Price
from apps.rating.values import SignedQuantity, SignedTotal, number_problems
from apps.rating.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyBilled:
    """Bills so far of one price and period: the metered quantity, the rounded amounts less credits.

    Less than nothing when a bill that gave back stands and the one that had charged it is void by now.
    """

    quantity: SignedQuantity
    amount: SignedTotal

    def __post_init__(self) -> None:
        if problems := list(number_problems(self)):
            raise UsageError(problems)


def rate_delta(
    definition: Price, usage: Usage, already_billed: AlreadyBilled, *, currency: str, unit: str = ""
) -> Charge:
    """Rate a period's whole usage less what was billed of it.

    amount = rounded(rate(cumulative usage)) − billed amount. If more was billed than is due, because usage
    was reversed or a volume tier was reached, the charge is a credit: `is_credit` is true and a row of kind
    `credit` says how much goes back. Raises UsageError `not_whole_minor_units` if the billed amount was never
    rounded.
    """
    cumulative = rate(definition, usage, currency=currency, unit=unit)
    words = Words(currency, minor_units(currency), unit)
    billed = already_billed.amount
    if round_amount(billed, currency) != billed:
        problem = Problem("not_whole_minor_units", "/amount", f"{billed} is no rounded {currency} amount")
        raise UsageError([problem])
    with localcontext(EXACT):
        steps = [*cumulative.steps, *_billed_steps(cumulative, already_billed, words)]
        return replace(
            cumulative,
            amount=cumulative.amount - billed,
            unrounded_amount=cumulative.unrounded_amount - billed,
            quantity=cumulative.quantity - already_billed.quantity,
            steps=tuple(steps),
        )


def _billed_steps(cumulative: Charge, already_billed: AlreadyBilled, words: Words) -> list[Step]:
    billed = already_billed.amount
    quantity = words.units(already_billed.quantity)
    if cumulative.amount >= billed:
        text = f"{quantity} already billed for {words.money(billed)}"
        if billed < 0:
            text = f"Given back too much before: {words.money(-billed)}"
        return [Step(StepKind.ALREADY_BILLED, text, quantity=already_billed.quantity, amount=-billed)]
    due = cumulative.unrounded_amount
    text = f"{words.money(due)} of the {words.money(billed)} already billed for {quantity}"
    credit = f"Credit of {words.money(billed - cumulative.amount)}: billed more than is due"
    return [
        Step(StepKind.ALREADY_BILLED, text, quantity=already_billed.quantity, amount=-due),
        Step(StepKind.CREDIT, credit, quantity=_reversed(cumulative, already_billed), amount=due - billed),
    ]


def _reversed(cumulative: Charge, already_billed: AlreadyBilled) -> Decimal:
    """The quantity that was taken back since it was billed."""
    return max(already_billed.quantity - cumulative.quantity, ZERO)
