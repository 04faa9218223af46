"""The price preview of whole plans, and who may ask for it."""

from typing import Any

import pytest

from apps.catalog.services.plans import NewPrice
from apps.tenants.models import Tenant
from tests.api.previewed import EXAMPLE, URL, priced, problems, refused
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import make_meter, make_plan


@pytest.fixture
def pro(in_acme: Tenant, acme_api: Api) -> None:
    """Two tokens prices by model, a fee, and a set-up fee."""
    for code, dimensions in (("tokens", ["model"]), ("calls", [])):
        meter = {
            "code": code, "name": code.title(), "event_name": "llm.call", "aggregation": "sum",
            "value_property": code, "dimensions": dimensions, "unit": code.removesuffix("s"),
        }  # fmt: skip
        assert acme_api.post("/meters", meter).status_code == 201
    prices = [
        {"code": "base", "name": "Base", "model": "flat", "flat_amount": "20", "billing_timing": "advance"},
        {"code": "setup", "name": "Set-up", "model": "flat", "flat_amount": "5", "billing_timing": "once"},
        {
            "code": "tokens-gpt-5", "name": "GPT-5 tokens", "model": "per_unit", "meter": "tokens",
            "unit_amount": "0.00003", "filters": {"model": ["gpt-5"]},
        },
        {"code": "tokens-rest", "name": "Tokens", "model": "per_unit", "meter": "tokens", "unit_amount": "0.00001"},
        {
            "code": "calls", "name": "Calls", "model": "graduated", "meter": "calls",
            "tiers": [{"up_to": "10", "unit_amount": "0"}, {"up_to": None, "unit_amount": "0.10"}],
        },
    ]  # fmt: skip
    assert acme_api.post("/plans", {"code": "pro", "name": "Pro", "prices": prices}).status_code == 201


def test_a_whole_plan_by_meter_and_by_price(pro: None, acme_api: Api) -> None:
    quantities = {"tokens": "8420", "tokens-gpt-5": "142500", "calls": 12}
    with nothing_changes_in("acme", "public"):
        found = priced(acme_api, {"plan": "pro", "version": 1, "quantities": quantities})
    assert {line["price"]: line["amount"] for line in found["lines"]} == {
        "base": "20.00",
        "setup": "5.00",
        "tokens-gpt-5": "4.28",  # 142,500 × 0.00003 = 4.275
        "tokens-rest": "0.08",  # what no filter takes: 8,420 × 0.00001 = 0.0842
        "calls": "0.20",  # 10 free, 2 × 0.10
    }
    assert (found["amount"], found["currency"], found["plan"], found["version"]) == ("29.56", "USD", "pro", 1)
    assert found["lines"][2]["steps"][0]["description"] == "142,500 token × 0.00003 USD"


def test_a_plan_whose_price_counts_events_asks_for_their_number(in_acme: Tenant, acme_api: Api) -> None:
    make_meter("volume")
    price = NewPrice(
        code="pay",
        name="Pay",
        model="percentage",
        meter="volume",
        more={"rate": "0.029", "fixed_amount": "0.30"},
    )
    make_plan("pay", [price])
    missing = refused(acme_api, {"plan": "pay", "quantities": {"volume": "1000"}})
    assert problems(missing) == {("/quantities/volume", "events_required")}
    counted = {"plan": "pay", "quantities": {"volume": {"quantity": "1000", "event_count": 12}}}
    assert priced(acme_api, counted)["amount"] == "32.60"  # 1,000 × 0.029 + 12 × 0.30
    assert priced(acme_api, {"plan": "pay"})["amount"] == "0.00"


def test_a_draft_has_to_be_asked_for_by_its_number(pro: None, acme_api: Api) -> None:
    response = acme_api.post(URL, {"plan": "pro"})
    assert (response.status_code, response.json()["code"]) == (404, "plan_version_not_found")
    acme_api.post("/plans/pro/versions/1/publish")
    assert priced(acme_api, {"plan": "pro"})["amount"] == "25.00"


def test_a_plan_s_quantities_are_checked_one_and_all(pro: None, acme_api: Api) -> None:
    body = {
        "plan": "pro",
        "version": 1,
        "quantities": {
            "tokens": "-1",
            "seats": "1",
            "calls": "NaN",
            "a/b": "1",
            "tokens-rest": "1",
            "base": "1",
        },
    }
    assert problems(refused(acme_api, body)) == {
        ("/quantities/tokens", "negative"),
        ("/quantities/seats", "unknown_meter"),
        ("/quantities/calls", "invalid_number"),
        ("/quantities/a~1b", "unknown_meter"),
        ("/quantities/base", "unknown_meter"),
    }


def test_no_digit_of_a_plan_s_total_is_lost(in_acme: Tenant, acme_api: Api) -> None:
    """10^19 − 1 at 10^19 − 1, and a fee of a cent beside it."""
    big = "9" * 19
    fee = {"code": "fee", "name": "F", "model": "flat", "flat_amount": "0.01"}
    meter = {"code": "units", "name": "U", "event_name": "e", "aggregation": "count"}
    price = {"code": "units", "name": "U", "model": "per_unit", "meter": "units", "unit_amount": big}
    assert acme_api.post("/meters", meter).status_code == 201
    assert acme_api.post("/plans", {"code": "big", "name": "Big", "prices": [price, fee]}).status_code == 201
    found = priced(acme_api, {"plan": "big", "version": 1, "quantities": {"units": big}})
    assert found["amount"] == f"{int(big) ** 2}.01"


def test_two_quantities_for_one_price_are_refused(pro: None, acme_api: Api) -> None:
    body = {"plan": "pro", "version": 1, "quantities": {"tokens": "1", "tokens-rest": "2"}}
    assert problems(refused(acme_api, body)) == {("/quantities/tokens-rest", "conflicting_fields")}


@pytest.mark.parametrize("quantities", [[], "x", 5, {"tokens": None}, {"tokens": {}}, {"tokens": True}])
def test_quantities_that_are_none_are_refused(pro: None, acme_api: Api, quantities: Any) -> None:
    refused(acme_api, {"plan": "pro", "version": 1, "quantities": quantities})


def test_a_price_and_a_plan_at_once_are_refused(pro: None, acme_api: Api) -> None:
    both = problems(refused(acme_api, EXAMPLE | {"plan": "pro"}))
    assert ("/price", "conflicting_fields") in both
    assert problems(refused(acme_api, EXAMPLE | {"quantities": {}})) == {
        ("/quantities", "conflicting_fields")
    }


@pytest.mark.parametrize("version", [0, -1, "x", 10**30, None, [], True])
def test_a_version_that_is_none_is_refused(pro: None, acme_api: Api, version: Any) -> None:
    assert acme_api.post(URL, {"plan": "pro", "version": version}).status_code in {400, 404}


def test_a_stranger_s_key_prices_but_sees_no_plan_of_ours(pro: None, globex_api: Api) -> None:
    assert priced(globex_api, EXAMPLE)["amount"] == "12.50"
    response = globex_api.post(URL, {"plan": "pro", "version": 1})
    assert response.status_code == 404


def test_without_a_key_nothing_is_priced(anonymous_api: Api) -> None:
    assert anonymous_api.post(URL, EXAMPLE).status_code == 401


def test_our_key_at_another_host_is_unknown(acme_api: Api, globex: Tenant) -> None:
    assert acme_api.at_host("globex.localhost").post(URL, EXAMPLE).status_code == 401
