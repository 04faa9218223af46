"""A second way to rate, written for obviousness: fractions throughout, no rows, no shared code with the product."""

from collections.abc import Callable, Sequence
from fractions import Fraction

from apps.rating import (
    Commitment,
    Conversion,
    CostPlus,
    Dynamic,
    Flat,
    Graduated,
    GraduatedPercentage,
    Package,
    Percentage,
    PerUnit,
    Price,
    RateTier,
    Rounding,
    Tier,
    Usage,
    UsagePrice,
    Volume,
)

ZERO = Fraction(0)


def amount_of(price: Price, usage: Usage) -> Fraction:
    """The exact amount, as one would work it out on paper."""
    amount: Fraction = _usage_amount(price, usage) if isinstance(price, UsagePrice) else _flat_amount(price)
    if price.maximum_amount is not None:
        amount = min(amount, Fraction(price.maximum_amount))
    if price.minimum_amount is not None:
        amount = max(amount, Fraction(price.minimum_amount))
    return amount


def rounded(amount: Fraction, places: int) -> Fraction:
    """Half away from zero."""
    scaled = abs(amount) * 10**places
    whole, rest = divmod(scaled, 1)
    whole += rest >= Fraction(1, 2)
    return Fraction(whole if amount >= 0 else -whole, 10**places)


def _flat_amount(price: Price) -> Fraction:
    assert isinstance(price, Flat)
    return _discounted(price, Fraction(price.flat_amount))


def _usage_amount(price: UsagePrice, usage: Usage) -> Fraction:
    metered = Fraction(usage.quantity)
    if isinstance(price, Dynamic):
        full = _dynamic(price, usage)
    elif isinstance(price, Percentage):
        full = _percentage(price, usage)
    billed = max(_converted(price.convert, metered) - Fraction(price.quantity_included), ZERO)
    if not isinstance(price, (Dynamic, Percentage)):
        full = _by_quantity(price)(billed)
    amount = _discounted(price, full)
    if price.commitment is None:
        return amount
    return _committed(price, price.commitment, amount, billed)


def _committed(price: UsagePrice, promise: Commitment, amount: Fraction, billed: Fraction) -> Fraction:
    if promise.amount is not None:
        promised = Fraction(promise.amount)
        exceeds, missing = amount > promised, amount < promised
    else:
        assert promise.quantity is not None
        promised = _discounted(price, _by_quantity(price)(Fraction(promise.quantity)))
        reached = billed > promise.quantity
        exceeds, missing = reached and amount > promised, not reached and amount < promised
    if exceeds:
        return promised + (amount - promised) * Fraction(promise.overage_factor)
    return promised if missing and promise.true_up else amount


def _discounted(price: Price, amount: Fraction) -> Fraction:
    if price.discount_percent is not None:
        return amount * (1 - Fraction(price.discount_percent) / 100)
    return max(amount - Fraction(price.discount_amount or 0), ZERO)


def _converted(convert: Conversion | None, quantity: Fraction) -> Fraction:
    if convert is None:
        return quantity
    if convert.divide_by is not None:
        quantity /= Fraction(convert.divide_by)
    else:
        assert convert.multiply_by is not None
        quantity *= Fraction(convert.multiply_by)
    match convert.rounding:
        case Rounding.UP:
            return Fraction(-(-quantity // 1))
        case Rounding.DOWN:
            return Fraction(quantity // 1)
        case Rounding.HALF_UP:
            return rounded(quantity, 0)
    return quantity


def _by_quantity(price: Price) -> Callable[[Fraction], Fraction]:
    match price:
        case PerUnit():
            return lambda quantity: quantity * Fraction(price.unit_amount)
        case CostPlus():
            return lambda quantity: quantity * Fraction(price.multiplier)
        case Package():
            return lambda quantity: -(-quantity // Fraction(price.package_size)) * Fraction(price.unit_amount)
        case Graduated() | GraduatedPercentage():
            return lambda quantity: _graduated(price.tiers, quantity, price.first_tier_flat_at_zero)
        case Volume():
            return lambda quantity: _volume(price, quantity)
    raise AssertionError(price)


def _graduated(tiers: Sequence[Tier | RateTier], quantity: Fraction, flat_at_zero: bool) -> Fraction:
    amount, lower = ZERO, ZERO
    for index, tier in enumerate(tiers):
        upper = quantity if tier.up_to is None else min(quantity, Fraction(tier.up_to))
        if upper > lower:
            each = tier.rate if isinstance(tier, RateTier) else tier.unit_amount
            amount += (upper - lower) * Fraction(each or 0)
        if quantity > lower or (index == 0 and flat_at_zero):
            amount += Fraction(tier.flat_amount or 0)
        lower = upper if tier.up_to is None else Fraction(tier.up_to)
    return amount


def _volume(price: Volume, quantity: Fraction) -> Fraction:
    tier = next(tier for tier in price.tiers if tier.up_to is None or quantity <= tier.up_to)
    fee = Fraction(tier.flat_amount or 0) if quantity or price.first_tier_flat_at_zero else ZERO
    return quantity * Fraction(tier.unit_amount or 0) + fee


def _dynamic(price: Dynamic, usage: Usage) -> Fraction:
    free, amount = Fraction(price.quantity_included), ZERO
    for event in sorted(usage.events, key=lambda event: -(event.unit_amount or 0)):
        quantity = _converted(price.convert, Fraction(event.quantity))
        paid = max(quantity - free, ZERO)
        free -= quantity - paid
        amount += paid * Fraction(event.unit_amount or 0)
    return amount


def _percentage(price: Percentage, usage: Usage) -> Fraction:
    rate, fixed = Fraction(price.rate), Fraction(price.fixed_amount)
    amounts = [_converted(price.convert, Fraction(event.quantity)) for event in usage.events]
    if price.events_included is None and price.amount_included is None:
        base = max(sum(amounts, ZERO) - Fraction(price.quantity_included), ZERO)
        return base * rate + len(amounts) * fixed
    left = sum(amounts, ZERO) if price.amount_included is None else Fraction(price.amount_included)
    result, is_free = ZERO, True
    for index, amount in enumerate(amounts):
        if price.events_included is not None and index >= price.events_included:
            is_free, left = False, ZERO
        if is_free and amount <= left:
            left -= amount
            continue
        result += (amount - left) * rate + fixed
        is_free, left = False, ZERO
    return result
