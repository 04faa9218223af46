"""Maximum and minimum amount of a price. Each leaves a row only when it moves the total."""

from decimal import Decimal

from apps.rating.charge import Step, StepKind
from apps.rating.prices.base import Price
from apps.rating.words import Words


def maximum_step(price: Price, total: Decimal, words: Words) -> Step | None:
    """What lies above the maximum is taken off, as a discount row."""
    if price.maximum_amount is None or total <= price.maximum_amount:
        return None
    text = f"Maximum of {words.money(price.maximum_amount)} applied to {words.money(total)}"
    return Step(StepKind.MAXIMUM, text, amount=price.maximum_amount - total)


def minimum_step(price: Price, total: Decimal, words: Words) -> Step | None:
    """What is missing to the minimum is added, as a true-up row, also when nothing was used."""
    if price.minimum_amount is None or total >= price.minimum_amount:
        return None
    text = f"True-up from {words.money(total)} to the minimum of {words.money(price.minimum_amount)}"
    return Step(StepKind.MINIMUM, text, amount=price.minimum_amount - total)
