"""Discount of one price, by percent or by amount. It never takes the price below zero."""

from decimal import Decimal

from apps.rating.charge import Step, StepKind
from apps.rating.exact import EXACT, grouped
from apps.rating.prices.base import Price
from apps.rating.words import Words


def discount_of(price: Price, total: Decimal) -> Decimal | None:
    """How much the price's discount takes off a total; None if it has no discount."""
    if price.discount_percent is not None:
        return total * EXACT.scaleb(price.discount_percent, -2)
    if price.discount_amount is not None:
        return min(price.discount_amount, total)
    return None


def discount_step(price: Price, total: Decimal, words: Words) -> Step | None:
    """The row of the discount, with a negative amount."""
    discount = discount_of(price, total)
    if discount is None:
        return None
    if price.discount_percent is not None:
        text = f"Discount of {grouped(price.discount_percent)} % on {words.money(total)}"
    else:
        text = f"Discount of {words.money(discount)} on {words.money(total)}"
    return Step(StepKind.DISCOUNT, text, amount=-discount)
