"""Every golden case, three ways: the rounded amount, the arithmetic a person can follow, and the rows."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest

from apps.rating import (
    MODELS,
    Charge,
    minor_units,
    parse_already_billed,
    parse_price,
    parse_usage,
    plain,
    rate,
    rate_delta,
)
from tests.rating.arithmetic import value_of
from tests.rating.golden_cases import GoldenCase, golden_cases

CASES = golden_cases()
HALF_A_SETTLED_UNIT = Fraction(1, 2 * 10**24)


def charge_for(case: GoldenCase) -> Charge:
    price = parse_price(case.price, currency=case.currency)
    usage = parse_usage(case.usage)
    if case.already_billed is not None:
        billed = parse_already_billed(case.already_billed)
        return rate_delta(price, usage, billed, currency=case.currency, unit=case.unit)
    return rate(price, usage, currency=case.currency, unit=case.unit, proration=case.part)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_charges_what_a_person_worked_out(case: GoldenCase) -> None:
    charge = charge_for(case)

    assert plain(charge.amount, minor_units(case.currency)) == case.amount
    if case.unrounded.endswith("…"):
        assert plain(charge.unrounded_amount).startswith(case.unrounded[:-1])
    elif case.unrounded:
        assert charge.unrounded_amount == Decimal(case.unrounded)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_shown_arithmetic_gives_the_unrounded_amount(case: GoldenCase) -> None:
    difference = Fraction(charge_for(case).unrounded_amount) - value_of(case.arithmetic)

    assert abs(difference) <= (HALF_A_SETTLED_UNIT if case.unrounded.endswith("…") else 0)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_rows_sum_to_the_unrounded_amount(case: GoldenCase) -> None:
    charge = charge_for(case)

    amounts = [Fraction(step.amount) for step in charge.steps if step.amount is not None]
    assert sum(amounts) == Fraction(charge.unrounded_amount)
    assert all(step.description for step in charge.steps)


def test_there_are_enough_cases_of_every_model() -> None:
    models = [case.price["model"] for case in CASES]
    few = {model: models.count(model) for model in MODELS if models.count(model) < 5}

    assert few == {}
    assert len(CASES) >= 60


def test_every_bound_of_a_tiered_price_is_tried_from_both_sides() -> None:
    """For each tiered model there is one price of which zero, every bound, and the units beside it are tried."""
    tried: dict[str, dict[str, set[Decimal]]] = {}
    for case in CASES:
        if case.price.get("tiers"):
            of_model = tried.setdefault(str(case.price["model"]), {})
            of_model.setdefault(repr(case.price), set()).add(Decimal(str(case.usage["quantity"])))
    assert set(tried) == {"graduated", "volume", "graduated_percentage"}
    for model, prices in tried.items():
        assert any(is_tried_all_around(price, quantities) for price, quantities in prices.items()), model


def is_tried_all_around(price: str, quantities: set[Decimal]) -> bool:
    bounds = [Decimal(bound) for bound in re.findall(r"'up_to': '([0-9.]+)'", price)]
    return 0 in quantities and all({bound - 1, bound, bound + 1} <= quantities for bound in bounds)
