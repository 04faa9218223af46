"""Laws that hold for every price and every usage."""

import random
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from apps.rating import (
    AlreadyBilled,
    Commitment,
    Conversion,
    Dynamic,
    Event,
    Flat,
    Graduated,
    Package,
    PerUnit,
    Price,
    Rounding,
    Tier,
    Usage,
    UsagePrice,
    Volume,
    charge_to_dict,
    definition_to_dict,
    minor_units,
    parse_price,
    plain,
    prorate,
    rate,
    rate_delta,
)
from tests.rating import reference
from tests.rating.strategies import (
    CURRENCIES,
    commitments,
    decimals,
    events,
    fees,
    flat_prices,
    fractions,
    law,
    limits,
    priced_usage,
    quantities,
    quantity_prices,
    unit_amounts,
    unit_tiers,
    usage_of,
)

SETTLED = Fraction(1, 10**24)


def unrounded(price: Price, quantity: Decimal) -> Fraction:
    return Fraction(rate(price, Usage(quantity), currency="USD").unrounded_amount)


@law
@given(priced_usage(), CURRENCIES)
def test_an_independent_calculation_in_fractions_gives_the_same_amount(
    found: tuple[Price, Usage], currency: str
) -> None:
    price, usage = found
    charge = rate(price, usage, currency=currency)
    exact = reference.amount_of(price, usage)

    assert abs(Fraction(charge.unrounded_amount) - exact) < 10 * SETTLED
    assert Fraction(charge.amount) == reference.rounded(exact, minor_units(currency))


@law
@given(priced_usage(), CURRENCIES)
def test_rows_sum_to_the_unrounded_amount(found: tuple[Price, Usage], currency: str) -> None:
    charge = rate(*found, currency=currency)

    amounts = [Fraction(step.amount) for step in charge.steps if step.amount is not None]
    assert sum(amounts) == Fraction(charge.unrounded_amount)


@law
@given(priced_usage(), CURRENCIES)
def test_rounding_moves_an_amount_by_half_a_minor_unit_at_most(
    found: tuple[Price, Usage], currency: str
) -> None:
    charge = rate(*found, currency=currency)

    moved = abs(Fraction(charge.amount) - Fraction(charge.unrounded_amount))
    assert moved <= Fraction(1, 2 * 10 ** minor_units(currency))
    assert charge.amount.as_tuple().exponent == -minor_units(currency)


@law
@given(priced_usage())
def test_a_charge_is_never_negative_and_a_rerun_changes_nothing(found: tuple[Price, Usage]) -> None:
    charge = rate(*found, currency="USD")

    assert charge.amount >= 0
    assert not charge.is_credit
    assert rate(*found, currency="USD") == charge


@law
@given(priced_usage(), st.integers(1, 12))
def test_the_callers_decimal_context_has_no_influence(found: tuple[Price, Usage], digits: int) -> None:
    charge = charge_to_dict(rate(*found, currency="USD"))
    with localcontext() as context:
        context.prec = digits
        assert charge_to_dict(rate(*found, currency="USD")) == charge


@law
@given(priced_usage())
def test_a_definition_survives_the_trip_through_json(found: tuple[Price, Usage]) -> None:
    price, usage = found
    copy = parse_price(definition_to_dict(price))

    assert copy == price
    assert rate(copy, usage, currency="USD") == rate(price, usage, currency="USD")


@law
@given(priced_usage())
def test_the_charge_respects_minimum_and_maximum(found: tuple[Price, Usage]) -> None:
    price, usage = found
    amount = rate(price, usage, currency="USD").unrounded_amount

    assert price.minimum_amount is None or amount >= price.minimum_amount
    assert price.maximum_amount is None or amount <= price.maximum_amount


@law
@given(unit_tiers(with_fees=False), quantities, decimals(most="100"))
def test_graduated_without_fees_is_monotone_and_continuous(
    tiers: tuple[Tier, ...], quantity: Decimal, more: Decimal
) -> None:
    price = Graduated(tiers=tiers)
    with localcontext() as context:
        context.prec = 60
        growth = unrounded(price, quantity + more) - unrounded(price, quantity)

    assert 0 <= growth <= Fraction(more) * max(Fraction(tier.unit_price) for tier in tiers)


@law
@given(unit_tiers(), quantities)
def test_graduated_with_fees_is_monotone(tiers: tuple[Tier, ...], quantity: Decimal) -> None:
    price = Graduated(tiers=tiers)

    assert unrounded(price, quantity) <= unrounded(price, quantity + 1)


@law
@given(unit_tiers(), st.booleans(), fractions)
def test_volume_equals_graduated_in_the_first_tier(
    tiers: tuple[Tier, ...], flat_at_zero: bool, part: Fraction
) -> None:
    first = tiers[0].up_to or Decimal(1000)
    quantity = (first * Decimal(part.numerator) / Decimal(part.denominator)).quantize(Decimal("0.000001"))
    assume(quantity <= first)
    graduated = Graduated(tiers=tiers, first_tier_flat_at_zero=flat_at_zero)
    volume = Volume(tiers=tiers, first_tier_flat_at_zero=flat_at_zero)

    assert unrounded(volume, quantity) == unrounded(graduated, quantity)


@law
@given(unit_tiers(), unit_amounts, quantities)
def test_tiers_of_one_price_are_a_price_per_unit(
    tiers: tuple[Tier, ...], unit_amount: Decimal, quantity: Decimal
) -> None:
    same = tuple(Tier(up_to=tier.up_to, unit_amount=unit_amount) for tier in tiers)

    expected = unrounded(PerUnit(unit_amount=unit_amount), quantity)
    assert unrounded(Graduated(tiers=same), quantity) == expected
    assert unrounded(Volume(tiers=same), quantity) == expected


@law
@given(decimals(least="0.1", places=3), unit_amounts, quantities)
def test_a_package_costs_at_least_its_units_and_at_most_one_package_more(
    size: Decimal, unit_amount: Decimal, quantity: Decimal
) -> None:
    price = Package(package_size=size, unit_amount=unit_amount)
    by_units = Fraction(quantity) / Fraction(size) * Fraction(unit_amount)

    assert by_units <= unrounded(price, quantity) <= by_units + Fraction(unit_amount)


@law
@given(quantity_prices(bare=True), quantities, quantities)
def test_an_included_quantity_makes_the_first_units_free(
    price: Price, included: Decimal, quantity: Decimal
) -> None:
    assert isinstance(price, UsagePrice)
    with_included = replace(price, quantity_included=included)

    assert unrounded(with_included, quantity) == unrounded(price, max(quantity - included, Decimal(0)))
    assert unrounded(with_included, min(quantity, included)) == unrounded(price, Decimal(0))


@law
@given(events, quantities)
def test_an_included_quantity_makes_dynamic_units_free(found: list[Event], included: Decimal) -> None:
    usage = usage_of(found)
    free = rate(Dynamic(quantity_included=included), usage, currency="USD").unrounded_amount
    full = rate(Dynamic(), usage, currency="USD").unrounded_amount

    assert free <= full
    assert usage.quantity > included or free == 0


@law
@given(events, quantities, st.randoms(use_true_random=False))
def test_the_order_of_dynamic_events_changes_nothing(
    found: list[Event], included: Decimal, shuffle: random.Random
) -> None:
    price = Dynamic(quantity_included=included)
    charge = rate(price, usage_of(found), currency="USD")
    shuffle.shuffle(found)

    assert charge_to_dict(rate(price, usage_of(found), currency="USD")) == charge_to_dict(charge)


@law
@given(events, quantities)
def test_dynamic_events_may_be_summed_up_by_unit_price(found: list[Event], included: Decimal) -> None:
    price = Dynamic(quantity_included=included)
    sums: dict[Decimal | None, Decimal] = {}
    with localcontext() as context:
        context.prec = 60
        for event in found:
            sums[event.unit_amount] = sums.get(event.unit_amount, Decimal(0)) + event.quantity
    summed = [Event(quantity, unit_amount) for unit_amount, quantity in sums.items()]

    expected = charge_to_dict(rate(price, usage_of(found), currency="USD"))
    assert charge_to_dict(rate(price, usage_of(summed), currency="USD")) == expected


@law
@given(quantity_prices(), st.lists(quantities, min_size=1, max_size=6), CURRENCIES)
def test_split_bills_sum_to_the_unsplit_one(price: Price, cuts: list[Decimal], currency: str) -> None:
    """Cuts in any order: a cumulative quantity that falls is a reversal, and comes out as a credit."""
    billed = AlreadyBilled(quantity=Decimal(0), amount=Decimal(0))
    with localcontext() as context:
        context.prec = 60
        for cumulative in cuts:
            charge = rate_delta(price, Usage(cumulative), billed, currency=currency)
            assert charge.is_credit == any(step.kind == "credit" for step in charge.steps)
            billed = AlreadyBilled(quantity=cumulative, amount=billed.amount + charge.amount)

    assert billed.amount == rate(price, Usage(cuts[-1]), currency=currency).amount


@law
@given(priced_usage(), CURRENCIES)
def test_what_was_billed_is_not_billed_again(found: tuple[Price, Usage], currency: str) -> None:
    price, usage = found
    amount = rate(price, usage, currency=currency).amount
    again = rate_delta(price, usage, AlreadyBilled(quantity=usage.quantity, amount=amount), currency=currency)

    assert again.amount == 0
    assert again.quantity == 0


@law
@given(priced_usage(), fees, st.sampled_from([1, -1]))
def test_rows_of_a_delta_sum_to_its_unrounded_amount(
    found: tuple[Price, Usage], amount: Decimal, sign: int
) -> None:
    billed = AlreadyBilled(quantity=Decimal(sign), amount=sign * amount)
    charge = rate_delta(*found, billed, currency="USD")

    amounts = [Fraction(step.amount) for step in charge.steps if step.amount is not None]
    assert sum(amounts) == Fraction(charge.unrounded_amount)


@law
@given(quantity_prices(bare=True), limits(), commitments(), quantities)
def test_a_charge_is_used_within_commitment_plus_overage_plus_true_up(
    price: Price, around: dict[str, Any], promise: Commitment, quantity: Decimal
) -> None:
    discount = {name: value for name, value in around.items() if name.startswith("discount")}
    assert isinstance(price, UsagePrice)
    charge = rate(replace(price, commitment=promise, **discount), Usage(quantity), currency="USD")
    use = charge.commitment
    assert use is not None

    parts = Fraction(use.within) + Fraction(use.overage) + Fraction(use.true_up)
    assert parts == Fraction(charge.unrounded_amount)
    assert use.within >= 0
    assert use.overage == 0 or use.true_up == 0
    if promise.true_up and promise.amount is not None:
        assert charge.unrounded_amount >= promise.amount


@law
@given(flat_prices(), st.lists(st.integers(0, 2_678_400), min_size=1, max_size=6))
def test_prorations_of_the_parts_sum_to_the_whole(price: Flat, parts: list[int]) -> None:
    whole = sum(parts)
    assume(whole > 0)
    total = Fraction(rate(price, Usage(Decimal(0)), currency="USD").unrounded_amount)
    found = [
        rate(price, Usage(Decimal(0)), currency="USD", proration=Fraction(part, whole)).unrounded_amount
        for part in parts
    ]

    assert abs(sum(map(Fraction, found)) - total) <= len(parts) * SETTLED
    assert all(0 <= Fraction(amount) <= total for amount in found)


@law
@given(fees, st.integers(0, 10**9), st.integers(1, 10**9))
def test_a_proration_is_exact_where_its_decimals_end(amount: Decimal, part: int, whole: int) -> None:
    exact = Fraction(amount) * part / whole
    found = Fraction(prorate(amount, part, whole))

    assert abs(found - exact) <= SETTLED / 2
    if (exact * 10**24).denominator == 1:
        assert found == exact


@law
@given(decimals(least="0.1"), unit_amounts, quantities)
def test_rounding_a_conversion_up_costs_most_and_down_least(
    divisor: Decimal, unit_amount: Decimal, quantity: Decimal
) -> None:
    down, none, up = (
        unrounded(
            PerUnit(unit_amount=unit_amount, convert=Conversion(divide_by=divisor, rounding=kind)), quantity
        )
        for kind in (Rounding.DOWN, Rounding.NONE, Rounding.UP)
    )

    assert down <= none + SETTLED
    assert none <= up + SETTLED


@law
@given(unit_amounts, quantities)
def test_per_thousand_is_a_thousandth_of_the_price(unit_amount: Decimal, quantity: Decimal) -> None:
    per_thousand = PerUnit(unit_amount=unit_amount, convert=Conversion(divide_by=Decimal(1000)))

    assert unrounded(per_thousand, quantity) == unrounded(
        PerUnit(unit_amount=unit_amount.scaleb(-3)), quantity
    )


@law
@given(unit_tiers(), quantities)
def test_ten_times_the_prices_is_ten_times_the_amount(tiers: tuple[Tier, ...], quantity: Decimal) -> None:
    dearer = tuple(
        Tier(up_to=tier.up_to, unit_amount=tier.unit_price * 10, flat_amount=tier.entry_fee * 10)
        for tier in tiers
    )

    for model in (Graduated, Volume):
        assert unrounded(model(tiers=dearer), quantity) == 10 * unrounded(model(tiers=tiers), quantity)


@law
@given(unit_amounts, quantities, decimals(most="100", places=2))
def test_a_discount_by_percent_leaves_the_rest(
    unit_amount: Decimal, quantity: Decimal, percent: Decimal
) -> None:
    full = unrounded(PerUnit(unit_amount=unit_amount), quantity)
    rest = unrounded(PerUnit(unit_amount=unit_amount, discount_percent=percent), quantity)

    assert rest == full * (100 - Fraction(percent)) / 100


@law
@given(unit_amounts, quantities, st.integers(0, 6))
def test_idle_zeros_change_nothing(unit_amount: Decimal, quantity: Decimal, zeros: int) -> None:
    with localcontext() as context:
        context.prec = 60
        padded = quantity.quantize(Decimal(1).scaleb(-6 - zeros))
    price = PerUnit(unit_amount=unit_amount)

    first = charge_to_dict(rate(price, Usage(quantity), currency="USD"))
    assert charge_to_dict(rate(price, Usage(padded), currency="USD")) == first


@law
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=18))
def test_plain_text_holds_the_whole_number(value: Decimal) -> None:
    text = plain(value)

    assert Decimal(text) == value
    assert "E" not in text
    assert not ("." in text and text.endswith("0"))
