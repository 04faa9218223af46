"""What a price would cost at the quantities where something changes, and its curve. Nothing is stored.

Rated by the code that bills. Quantities are metered ones: a tier that ends at 10 billed units, priced per thousand,
is looked at at 10,000.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, Context, Decimal, localcontext
from typing import Any

from apps.catalog.admin.wording import several
from apps.core.admin.display import quantity_text
from apps.core.money import money_display
from apps.rating import (
    Charge,
    Dynamic,
    Event,
    Flat,
    Package,
    Percentage,
    Price,
    RatingError,
    Usage,
    UsagePrice,
    grouped,
    minor_units,
    plain,
    rate,
)

ZERO, ONE = Decimal(0), Decimal(1)
# What rating takes as a quantity: 18 decimals, 20 digits before the point.
SMALLEST = Decimal("0.000000000000000001")
LARGEST = Decimal(10) ** 20 - 1
WIDE = Context(prec=80)
SAMPLES = 48
STEPS_DRAWN = 40
LADDER_AT_MOST = 41
EVENTS_AT_MOST = 1_000
# Where nothing else says how far to look: until it costs this much.
WORTH_LOOKING_AT = Decimal(10)
FARTHEST = Decimal(10) ** 17


@dataclass(frozen=True, slots=True)
class Typed:
    """What is asked beside the price. `event_count` is for percentages, `unit_amount` for dynamic prices."""

    quantity: Decimal | None = None
    event_count: int = 1
    unit_amount: Decimal = ONE


@dataclass(frozen=True, slots=True)
class Rater:
    definition: Price
    currency: str
    unit: str
    typed: Typed

    def charge(self, quantity: Decimal) -> Charge:
        return rate(self.definition, self.usage(quantity), currency=self.currency, unit=self.unit)

    def usage(self, quantity: Decimal) -> Usage:
        """Dynamic: one event at the typed unit price. Percentage: events of one size, as many as were typed."""
        if isinstance(self.definition, Dynamic) and quantity:
            return Usage(quantity, 1, (Event(quantity, self.typed.unit_amount),))
        if isinstance(self.definition, Percentage) and quantity:
            count = self.event_count(quantity)
            share = (quantity / count).quantize(SMALLEST, ROUND_DOWN)
            return Usage(
                quantity, count, (*[Event(share)] * (count - 1), Event(quantity - share * (count - 1)))
            )
        return Usage(quantity)

    def cost(self, quantity: Decimal) -> Decimal:
        return self.charge(quantity).unrounded_amount

    def event_count(self, quantity: Decimal) -> int:
        """In proportion to what was typed: of 25 events in 2,500, one in 100."""
        typed = self.typed
        if not typed.quantity or quantity == typed.quantity:
            return typed.event_count
        events = (quantity * typed.event_count / typed.quantity).to_integral_value(ROUND_CEILING)
        return int(min(max(events, ONE), Decimal(2 * EVENTS_AT_MOST)))


def preview_of(definition: Price, *, currency: str, unit: str, typed: Typed) -> dict[str, Any]:
    """For the template: rows of quantities, the typed quantity explained, and the curve's points as text.

    Raises `RatingError` when the typed values can't be rated.
    """
    with localcontext(WIDE):
        return shown(Rater(definition, currency, unit, typed))


def shown(rater: Rater) -> dict[str, Any]:
    is_flat = isinstance(rater.definition, Flat)
    quantities = [] if is_flat else ladder(rater.definition)
    rows = [row_of(rater, quantity) for quantity in quantities]
    asked = (
        rater.typed.quantity
        if rater.typed.quantity is not None and not is_flat
        else (ZERO if is_flat else quantities[-1])
    )
    return {
        "rows": rows,
        "is_flat": is_flat,
        "unit": several(rater.unit) if rater.unit else "",
        "asked": {**row_of(rater, asked), **explained(rater, asked)},
        "curve": None if is_flat else curve(rater, quantities, rater.typed.quantity),
    }


def row_of(rater: Rater, quantity: Decimal) -> dict[str, Any]:
    charge = rater.charge(quantity)
    return {"quantity": quantity_text(quantity), "amount": money_display(charge.amount, rater.currency)}


def explained(rater: Rater, quantity: Decimal) -> dict[str, Any]:
    charge = rater.charge(quantity)
    places = minor_units(rater.currency)
    is_rounded = charge.unrounded_amount != charge.amount
    return {
        "steps": [
            {
                "description": step.description,
                "amount": "" if step.amount is None else grouped(step.amount, places),
            }
            for step in charge.steps
        ],
        "unrounded": grouped(charge.unrounded_amount, places) if is_rounded else "",
    }


def ladder(definition: Price) -> list[Decimal]:
    """0, 1, and each bound with the unit after it, at most 41 of them."""
    found = {ZERO, ONE}
    for bound in bounds(definition):
        found |= {bound, cut(bound + 1)}
    return sorted(found)[:LADDER_AT_MOST]


def bounds(definition: Price) -> list[Decimal]:
    """Metered quantities at which the price changes its ways."""
    if not isinstance(definition, UsagePrice):
        return []
    included = definition.quantity_included
    billed = [included] if included else []
    billed += [included + tier.up_to for tier in getattr(definition, "tiers", ()) if tier.up_to is not None]
    if isinstance(definition, Package):
        billed.append(included + definition.package_size)
    if definition.commitment is not None and definition.commitment.quantity is not None:
        billed.append(included + definition.commitment.quantity)
    if isinstance(definition, Percentage) and definition.amount_included:
        billed.append(definition.amount_included)
    return sorted({metered(definition, one) for one in billed})


def metered(definition: UsagePrice, billed: Decimal) -> Decimal:
    """The metered quantity of which that many billed units are made, cut to what a quantity can hold."""
    convert = definition.convert
    if convert is None:
        return cut(billed)
    return cut(billed * (convert.divide_by or ONE) / (convert.multiply_by or ONE))


def cut(quantity: Decimal) -> Decimal:
    """The nearest quantity that rating takes."""
    return min(quantity.quantize(SMALLEST, ROUND_DOWN, context=WIDE), LARGEST)


def curve(rater: Rater, quantities: list[Decimal], typed: Decimal | None) -> dict[str, Any]:
    """Points (quantity, amount before rounding) as plain text: the browser turns them into pixels, not into money."""
    last = max(bounds(rater.definition), default=ONE)
    top = cut(max(reach(rater, last), (typed or ZERO) * Decimal("1.15")))
    wanted = {tidy(top * index / SAMPLES, top) for index in range(SAMPLES + 1)}
    for jump in jumps(rater.definition, quantities, top):
        wanted |= {jump, cut(jump + min(ONE, top / 2000))}
    if typed is not None:
        wanted.add(typed)
    points = [(quantity, rater.cost(quantity)) for quantity in sorted(wanted)]
    return {
        "points": [[plain(quantity), plain(amount)] for quantity, amount in points],
        "typed": None if typed is None else [plain(typed), plain(rater.cost(typed))],
        "currency": rater.currency,
        "places": minor_units(rater.currency),
        "unit": several(rater.unit),
    }


def tidy(quantity: Decimal, top: Decimal) -> Decimal:
    """Whole units where there are enough of them to draw."""
    return quantity.to_integral_value(ROUND_DOWN) if top > SAMPLES * 4 else cut(quantity)


def reach(rater: Rater, last: Decimal) -> Decimal:
    """How far to look: half as far again as the last bound, and until the limits in money have been reached."""
    definition = rater.definition
    has_bounds = last > ONE
    start = top = cut(last * Decimal("1.5")) if has_bounds else ONE
    wanted = ZERO if has_bounds else rater.cost(ZERO) + WORTH_LOOKING_AT
    if definition.maximum_amount is not None:
        wanted = definition.maximum_amount
    elif limits := limits_of(definition):
        wanted = max(wanted, max(limits) * Decimal("1.2"))
    while rater.cost(top) < wanted:
        top = cut(top * 2)
        if top > FARTHEST:
            return start if has_bounds else Decimal(100)
    return nice(top * Decimal("1.2")) if top > start or not has_bounds else top


def limits_of(definition: Price) -> list[Decimal]:
    committed = definition.commitment if isinstance(definition, UsagePrice) else None
    found = (definition.minimum_amount, definition.discount_amount, committed.amount if committed else None)
    return [amount for amount in found if amount]


def nice(top: Decimal) -> Decimal:
    """Up to the next 1, 2 or 5 with zeros."""
    power = ONE.scaleb(top.adjusted())
    return next(power * step for step in (1, 2, 5, 10) if power * step >= top)


def jumps(definition: Price, quantities: list[Decimal], top: Decimal) -> Iterator[Decimal]:
    """Where the curve may jump: bounds, and each package that is begun as long as one could see it."""
    yield from (quantity for quantity in quantities if quantity < top)
    width = None
    if isinstance(definition, Package):
        width = metered(definition, definition.package_size)
    elif (
        isinstance(definition, UsagePrice)
        and definition.convert is not None
        and definition.convert.rounding != "none"
    ):
        width = definition.convert.divide_by
    if width and top / width <= STEPS_DRAWN:
        offset = (
            metered(definition, definition.quantity_included) if isinstance(definition, UsagePrice) else ZERO
        )
        yield from (offset + width * count for count in range(int((top - offset) / width) + 1))


def read_typed(data: Any, *, currency: str) -> tuple[Typed, dict[str, str]]:
    """The three inputs of the preview, and what is wrong with them by name."""
    wrong: dict[str, str] = {}

    def number(name: str, default: Decimal | None) -> Decimal | None:
        text = str(data.get(name, "")).strip().replace(",", "")
        if not text:
            return default
        try:
            return Usage(Decimal(text)).quantity
        except (ArithmeticError, ValueError, RatingError):
            wrong[name] = "Type a number of zero or more, like 1500."
            return default

    quantity = number("preview_quantity", None)
    unit_amount = number("preview_unit_amount", ONE)
    count = number("preview_events", ONE) or ONE
    if count != count.to_integral_value() or not 1 <= count <= EVENTS_AT_MOST:
        wrong["preview_events"] = f"Type a whole number from 1 to {EVENTS_AT_MOST:,}."
        count = ONE
    assert unit_amount is not None
    return Typed(quantity, int(count), unit_amount), wrong
