"""A price before its period is over: what it asks for then, and what has to wait for the end."""

from dataclasses import replace

from apps.rating.prices.base import Price, UsagePrice


def before_the_end(definition: Price) -> Price:
    """The same price without what only the end of a period can tell: the minimum, and the true-up of a commitment.

    Nobody knows before whether more is used. All other steps hold for any part of a period that begins with it.
    """
    if isinstance(definition, UsagePrice) and definition.commitment is not None:
        commitment = replace(definition.commitment, true_up=False)
        return replace(definition, minimum_amount=None, commitment=commitment)
    return replace(definition, minimum_amount=None)
