"""From a definition to rows and back: what is stored is what was given, to the last digit."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.definitions import definition_document, definition_of
from apps.catalog.models import Meter
from apps.catalog.services.plans import NewPrice
from apps.rating import Price, definition_to_dict, parse_price
from tests.harness.evidence import rolled_back
from tests.harness.factories import make_plan
from tests.rating.golden_cases import golden_cases
from tests.rating.strategies import priced_usage


def stored(definition: Price) -> NewPrice:
    more = definition_to_dict(definition)
    model = str(more.pop("model"))
    return NewPrice(
        code="p",
        name="P",
        model=model,
        meter="" if model == "flat" else "tokens",
        unit_amount_property="unit_price" if model == "dynamic" else "",
        more=more,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(priced_usage().map(lambda pair: pair[0]), min_size=1, max_size=4))
def test_any_definition_survives_the_database(tokens: Meter, definitions: list[Price]) -> None:
    prices = [stored(one) for one in definitions]
    numbered = [
        replace(one, code=f"p{index}", filters={"model": [f"m{index}"]} if one.meter else {})
        for index, one in enumerate(prices)
    ]
    with rolled_back():
        version = make_plan("any", numbered)
        found = [definition_of(price) for price in version.prices.order_by("position")]
    assert found == definitions


def test_every_golden_price_survives_the_database(tokens: Meter) -> None:
    documents = {str(case.price): case.price for case in golden_cases()}
    for number, document in enumerate(documents.values()):
        currency = str(document["currency"])
        definition = parse_price(document, currency=currency)
        version = make_plan(f"golden-{number}", [stored(definition)], currency=currency)
        price = version.prices.get()
        # The currency is the version's.
        assert parse_price({**definition_document(price), "currency": currency}) == definition
