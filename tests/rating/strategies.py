"""Random prices and usage for the laws."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from apps.rating import (
    Commitment,
    Conversion,
    CostPlus,
    Dynamic,
    Event,
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
    Volume,
)

law = settings(deadline=None, max_examples=60)
"""How often a law is tried. A slow machine is no failure."""

CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KWD"])


def decimals(least: str = "0", most: str = "1000", places: int = 6) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(least), Decimal(most), places=places, allow_nan=False, allow_infinity=False)


unit_amounts = st.one_of(decimals(most="10", places=12), decimals(most="10", places=2))
fees = decimals(most="50", places=2)
quantities = st.one_of(
    st.integers(0, 2000).map(Decimal),
    decimals(most="2000", places=6),
    st.integers(0, 10**18).map(Decimal),
)
rates = decimals(most="1", places=4)
fractions = st.fractions(0, 1, max_denominator=2_678_400)


@st.composite
def bounds(draw: st.DrawFn) -> list[Decimal | None]:
    steps = draw(st.lists(decimals(least="0.5", most="500", places=1), max_size=4))
    found: list[Decimal | None] = []
    total = Decimal(0)
    for step in steps:
        total += step
        found.append(total)
    return [*found, None]


@st.composite
def unit_tiers(draw: st.DrawFn, with_fees: bool = True) -> tuple[Tier, ...]:
    fee = fees if with_fees else st.just(Decimal(0))
    return tuple(
        Tier(up_to=bound, unit_amount=draw(unit_amounts), flat_amount=draw(fee)) for bound in draw(bounds())
    )


@st.composite
def rate_tiers(draw: st.DrawFn) -> tuple[RateTier, ...]:
    return tuple(RateTier(up_to=bound, rate=draw(rates), flat_amount=draw(fees)) for bound in draw(bounds()))


@st.composite
def limits(draw: st.DrawFn) -> dict[str, Any]:
    """Discount, minimum and maximum, each of them or none."""
    around: dict[str, Any] = {}
    match draw(st.sampled_from(["none", "percent", "amount"])):
        case "percent":
            around["discount_percent"] = draw(decimals(most="100", places=2))
        case "amount":
            around["discount_amount"] = draw(fees)
    low, high = sorted((draw(fees), draw(decimals(most="5000", places=2))))
    if draw(st.booleans()):
        around["minimum_amount"] = low
    if draw(st.booleans()):
        around["maximum_amount"] = high
    return around


roundings = st.sampled_from(list(Rounding))


@st.composite
def conversions(draw: st.DrawFn, rounding: st.SearchStrategy[Rounding] = roundings) -> Conversion:
    number = draw(st.one_of(st.sampled_from([Decimal(60), Decimal(1000), Decimal(7)]), decimals(least="0.1")))
    if draw(st.booleans()):
        return Conversion(divide_by=number, rounding=draw(rounding))
    return Conversion(multiply_by=number, rounding=draw(rounding))


@st.composite
def commitments(draw: st.DrawFn, by_quantity: bool = True) -> Commitment:
    promise = draw(decimals(least="1", places=2))
    flags: dict[str, Any] = {
        "true_up": draw(st.booleans()),
        "overage_factor": draw(decimals(least="1", most="5", places=2)),
    }
    if by_quantity and draw(st.booleans()):
        return Commitment(quantity=promise, **flags)
    return Commitment(amount=promise, **flags)


@st.composite
def around(draw: st.DrawFn, per_event: bool = False) -> dict[str, Any]:
    """What a usage price may have around its model."""
    settings_around: dict[str, Any] = draw(limits())
    if draw(st.booleans()):
        rounding = st.just(Rounding.NONE) if per_event else roundings
        settings_around["convert"] = draw(conversions(rounding))
    settings_around["quantity_included"] = draw(st.one_of(st.just(Decimal(0)), quantities))
    if draw(st.booleans()):
        commitment = draw(commitments(by_quantity=not per_event))
        maximum = settings_around.get("maximum_amount")
        if maximum is None or commitment.amount is None or commitment.amount <= maximum:
            settings_around["commitment"] = commitment
    return settings_around


@st.composite
def quantity_prices(draw: st.DrawFn, bare: bool = False) -> Price:
    """A price of any model that needs only a quantity."""
    extra: dict[str, Any] = {} if bare else draw(around())
    flags: dict[str, Any] = {"first_tier_flat_at_zero": draw(st.booleans())}
    match draw(
        st.sampled_from(["per_unit", "graduated", "volume", "package", "graduated_percentage", "cost_plus"])
    ):
        case "per_unit":
            return PerUnit(unit_amount=draw(unit_amounts), **extra)
        case "graduated":
            return Graduated(tiers=draw(unit_tiers()), **flags, **extra)
        case "volume":
            return Volume(tiers=draw(unit_tiers()), **flags, **extra)
        case "package":
            size = draw(decimals(least="0.1", places=3))
            return Package(package_size=size, unit_amount=draw(unit_amounts), **extra)
        case "graduated_percentage":
            return GraduatedPercentage(tiers=draw(rate_tiers()), **flags, **extra)
        case _:
            return CostPlus(multiplier=draw(decimals(most="5", places=3)), **extra)


@st.composite
def flat_prices(draw: st.DrawFn) -> Flat:
    return Flat(flat_amount=draw(fees), **draw(limits()))


events = st.lists(
    st.builds(
        Event, quantities, st.one_of(unit_amounts, st.sampled_from([Decimal("0.002"), Decimal("0.01")]))
    ),
    max_size=8,
)


def usage_of(found: list[Event]) -> Usage:
    total = sum((Fraction(event.quantity) for event in found), Fraction(0))
    return Usage(_decimal(total), len(found), tuple(found))


def _decimal(value: Fraction) -> Decimal:
    scaled = value * 10**18
    assert scaled.denominator == 1
    return Decimal(scaled.numerator).scaleb(-18)


@st.composite
def event_prices(draw: st.DrawFn) -> Price:
    """A price of a model that looks at single events."""
    extra = draw(around(per_event=True))
    if draw(st.booleans()):
        return Dynamic(**extra)
    if draw(st.booleans()):
        extra.pop("quantity_included")
        extra["events_included"] = draw(st.one_of(st.none(), st.integers(0, 5)))
        extra["amount_included"] = draw(st.one_of(st.none(), decimals(most="3000", places=2)))
    return Percentage(rate=draw(rates), fixed_amount=draw(fees), **extra)


@st.composite
def priced_usage(draw: st.DrawFn) -> tuple[Price, Usage]:
    """Any price with usage that it accepts."""
    match draw(st.sampled_from(["quantity", "events", "flat"])):
        case "events":
            return draw(event_prices()), usage_of(draw(events))
        case "flat":
            return draw(flat_prices()), Usage(draw(quantities))
        case _:
            return draw(quantity_prices()), Usage(draw(quantities))
