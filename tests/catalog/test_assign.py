"""Which price takes which usage: the most specific match, and exactly one."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.assign import taker_for, takers_of
from apps.catalog.models import Meter, Price
from apps.catalog.services.plans import NewPrice
from tests.harness.factories import make_plan
from tests.rating.strategies import law

GPT, CLAUDE = {"model": "gpt-5"}, {"model": "claude"}


def taking(code: str, **filters: list[str]) -> NewPrice:
    return NewPrice(
        code=code, name=code, model="per_unit", meter="tokens", unit_amount=Decimal(1), filters=filters
    )


def taker(prices: list[NewPrice], dimensions: Mapping[str, str]) -> str | None:
    """The code of the price that takes usage with these dimension values."""
    version = make_plan(f"plan-{Price.objects.count()}", prices)
    found = taker_for(takers_of(version.prices.prefetch_related("filters").order_by("position")), dimensions)
    return found.code if found else None


MODEL = taking("model", model=["gpt-5"])
REGION = taking("region", region=["eu", "us"])
BOTH = taking("both", model=["gpt-5"], region=["eu", "us"])
REST = taking("rest")


@pytest.mark.parametrize(
    ("prices", "dimensions", "expected"),
    [
        ([MODEL, REST], {"model": "gpt-5", "region": "eu"}, "model"),
        ([REST, MODEL], {"model": "gpt-5"}, "model"),  # a default takes the rest, wherever it stands
        ([MODEL, REST], {"model": "claude"}, "rest"),
        ([MODEL, REST], {}, "rest"),
        ([REGION, REST], {"region": "us"}, "region"),  # any of the values
        ([REGION, REST], {"region": "ap"}, "rest"),
        ([REST, MODEL, REGION, BOTH], {"model": "gpt-5", "region": "us"}, "both"),  # two filters beat one
        ([BOTH, REST], {"model": "gpt-5", "region": "ap"}, "rest"),  # all filters have to match
        ([MODEL, REGION], {"model": "gpt-5", "region": "eu"}, "model"),  # equally specific: the plan's order
        ([REGION, MODEL], {"model": "gpt-5", "region": "eu"}, "region"),
        ([MODEL, REGION], {"model": "claude", "region": "ap"}, None),  # no default: unpriced
        ([MODEL], {"model": ""}, None),  # an event that says nothing is not taken by a filter
        ([MODEL], {"model": "GPT-5"}, None),  # values are compared as they are
    ],
)
def test_who_takes_it(
    tokens: Meter, prices: list[NewPrice], dimensions: dict[str, str], expected: str | None
) -> None:
    assert taker(prices, dimensions) == expected


VALUES = ["", "a", "b", "c"]
FILTERS = st.dictionaries(
    st.sampled_from(["model", "region", "feature"]),
    st.lists(st.sampled_from(VALUES[1:]), min_size=1, max_size=3, unique=True),
    max_size=3,
)
DIMENSIONS = st.fixed_dictionaries({name: st.sampled_from(VALUES) for name in ("model", "region", "feature")})


class Filter:
    def __init__(self, dimension: str, values: list[str]) -> None:
        self.dimension, self.values = dimension, values


class Filtered:
    """Stands for a price with its filters, without a database."""

    def __init__(self, filters: dict[str, list[str]]) -> None:
        self.given = filters
        self.filters = self

    def all(self) -> list[Filter]:
        return [Filter(name, values) for name, values in self.given.items()]

    def matches(self, dimensions: Mapping[str, str]) -> bool:
        return all(dimensions[name] in values for name, values in self.given.items())


@law
@given(st.lists(FILTERS, max_size=6), DIMENSIONS)
def test_the_taker_matches_and_nobody_that_matches_is_more_specific(
    filters: list[dict[str, list[str]]], dimensions: dict[str, str]
) -> None:
    prices = [Filtered(one) for one in filters]
    found = taker_for(takers_of(prices), dimensions)  # type: ignore[arg-type]
    matching = [price for price in prices if price.matches(dimensions)]
    if found is None:
        assert matching == []
        return
    most = max(len(price.given) for price in matching)
    assert found is next(price for price in matching if len(price.given) == most)


@law
@given(st.lists(FILTERS, max_size=6), st.lists(DIMENSIONS, max_size=6))
def test_a_price_that_matches_nothing_changes_nothing(
    filters: list[dict[str, list[str]]], found: list[dict[str, str]]
) -> None:
    prices = [Filtered(one) for one in filters]
    more = [*prices, Filtered({"model": ["nobody"]})]
    for dimensions in found:
        before = taker_for(takers_of(prices), dimensions)  # type: ignore[arg-type]
        assert taker_for(takers_of(more), dimensions) is before  # type: ignore[arg-type]
