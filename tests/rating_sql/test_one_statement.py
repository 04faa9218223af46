"""A second, independent path: the same price rated by one SQL statement gives the same digits.

`price.sql` was written from the definitions of the models, not from the code; it shares nothing with `apps.rating`.
"""

import json
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apps.rating import (
    MODELS,
    AlreadyBilled,
    Charge,
    Percentage,
    Price,
    Usage,
    definition_to_dict,
    minor_units,
    plain,
    rate,
    rate_delta,
    round_amount,
)
from tests.rating.golden_cases import GoldenCase, golden_cases
from tests.rating.strategies import (
    CURRENCIES,
    around,
    decimals,
    event_prices,
    events,
    fees,
    fractions,
    priced_usage,
    quantities,
    quantity_prices,
    rates,
    usage_of,
)
from tests.rating.test_golden import charge_for

STATEMENT = (Path(__file__).parent / "price.sql").read_text(encoding="utf-8")
RANDOM_CASES = 1_000

pytestmark = pytest.mark.usefixtures("database")

Digits = tuple[str, str]


def rated_by_sql(cases: list[dict[str, Any]]) -> list[Digits]:
    """Amount and unrounded amount of each case, all in one statement."""
    with connection.cursor() as cursor:
        # The planner knows nothing of the size of the input and would loop over it within loops.
        cursor.execute("SET LOCAL enable_nestloop TO off")
        cursor.execute(STATEMENT, {"cases": json.dumps(cases)})
        return cursor.fetchall()


def digits(charge: Charge) -> Digits:
    return plain(charge.amount, minor_units(charge.currency)), plain(charge.unrounded_amount)


def differences(cases: list[dict[str, Any]], expected: list[Digits]) -> list[str]:
    found = rated_by_sql(cases)
    assert len(found) == len(cases)
    return [
        f"{json.dumps(case)}: SQL says {by_sql}, rating says {by_rating}"
        for case, by_sql, by_rating in zip(cases, found, expected, strict=True)
        if by_sql != by_rating
    ]


def as_case(
    price: dict[str, Any],
    usage: dict[str, Any],
    currency: str,
    part: Fraction | None,
    billed: dict[str, Any] | None,
) -> dict[str, Any]:
    case = {"definition": price, "usage": usage, "currency": currency}
    if part is not None:
        case["part"] = {"numerator": str(part.numerator), "denominator": str(part.denominator)}
    if billed is not None:
        case["already_billed"] = billed
    return case


def golden(case: GoldenCase) -> dict[str, Any]:
    return as_case(case.price, case.usage, case.currency, case.part, case.already_billed)


def test_every_golden_case_has_the_same_digits() -> None:
    cases = golden_cases()
    assert differences([golden(case) for case in cases], [digits(charge_for(case)) for case in cases]) == []


def test_the_statement_says_itself_what_the_golden_tables_say() -> None:
    """Without rating in between: the amounts that a person worked out."""
    cases = golden_cases()
    for case, (amount, unrounded) in zip(cases, rated_by_sql([golden(case) for case in cases]), strict=True):
        assert amount == case.amount, case.name
        if case.unrounded.endswith("…"):
            assert unrounded.startswith(case.unrounded[:-1]), case.name
        elif case.unrounded:
            assert Decimal(unrounded) == Decimal(case.unrounded), case.name


@dataclass(frozen=True, slots=True)
class RandomCase:
    price: Price
    usage: Usage
    currency: str
    part: Fraction | None
    billed: Decimal | None

    def rated(self) -> Charge:
        if self.billed is None:
            return rate(self.price, self.usage, currency=self.currency, proration=self.part)
        already = AlreadyBilled(quantity=Decimal(0), amount=self.billed)
        return rate_delta(self.price, self.usage, already, currency=self.currency)

    def document(self) -> dict[str, Any]:
        usage = {
            "quantity": plain(self.usage.quantity),
            "event_count": self.usage.event_count,
            "events": [
                {"quantity": plain(event.quantity), "unit_amount": plain(event.unit_amount or Decimal(0))}
                for event in self.usage.events
            ],
        }
        billed = None if self.billed is None else {"amount": plain(self.billed)}
        return as_case(definition_to_dict(self.price), usage, self.currency, self.part, billed)


@st.composite
def prices_with_free_events(draw: st.DrawFn) -> Percentage:
    free = {
        "events_included": draw(st.integers(0, 5)),
        "amount_included": draw(decimals(most="3000", places=2)),
    }
    dropped = draw(st.sampled_from(["", "events_included", "amount_included"]))
    free = {name: value for name, value in free.items() if name != dropped}
    extra: dict[str, Any] = draw(around(per_event=True)) | {"quantity_included": Decimal(0)}
    return Percentage(rate=draw(rates), fixed_amount=draw(fees), **free, **extra)


@st.composite
def random_cases(draw: st.DrawFn) -> RandomCase:
    """Any price, with usage that it accepts; a part of a period, or what was billed before, now and then."""
    match draw(st.sampled_from(["any", "quantity", "quantity", "quantity", "events", "events", "free"])):
        case "any":
            price, usage = draw(priced_usage())
        case "quantity":
            price, usage = draw(quantity_prices()), Usage(draw(quantities))
        case "events":
            price, usage = draw(event_prices()), usage_of(draw(events))
        case _:
            price, usage = draw(prices_with_free_events()), usage_of(draw(events))
    currency = draw(CURRENCIES)
    part, billed = None, None
    match draw(st.sampled_from(["whole", "whole", "part", "delta"])):
        case "part" if price.can_be_prorated:
            part = draw(fractions)
        case "delta":
            billed = round_amount(draw(decimals(most="5000", places=2)), currency)
    return RandomCase(price, usage, currency, part, billed)


@cache
def collected() -> list[RandomCase]:
    """The same random cases in every run, all different."""
    found: dict[str, RandomCase] = {}

    @settings(
        max_examples=RANDOM_CASES + 300,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(random_cases())
    def collect(case: RandomCase) -> None:
        if len(found) < RANDOM_CASES:
            found[json.dumps(case.document())] = case

    collect()
    return list(found.values())


def test_a_thousand_random_cases_have_the_same_digits() -> None:
    cases = collected()
    assert len(cases) == RANDOM_CASES
    assert differences([case.document() for case in cases], [digits(case.rated()) for case in cases]) == []


def test_the_random_cases_exercise_everything_around_a_model() -> None:
    cases = [case.document() for case in collected()]
    models = Counter(case["definition"]["model"] for case in cases)
    assert {model: models[model] for model in MODELS if models[model] < 20} == {}
    counts = Counter(name for case in cases for name in (*case, *case["definition"]))
    wanted = [
        "convert", "quantity_included", "discount_percent", "discount_amount", "commitment", "minimum_amount",
        "maximum_amount", "events_included", "amount_included", "first_tier_flat_at_zero", "part", "already_billed",
    ]  # fmt: skip
    assert {name: counts[name] for name in wanted if counts[name] < 20} == {}
