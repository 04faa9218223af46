"""Plans: drafted, published once, archived; what is published is frozen."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from apps.catalog.models import Plan, PlanVersion
from apps.catalog.services import versions
from apps.core.errors import Refused
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_meter, make_plan

NOW = datetime(2026, 3, 1, tzinfo=UTC)
IN = {"code": "in", "name": "Input", "model": "per_unit", "meter": "input_tokens", "unit_amount": "0.0000025"}
BASE = {"code": "base", "name": "Base fee", "model": "flat", "flat_amount": "20"}


@pytest.fixture
def meter(in_acme: Tenant) -> None:
    make_meter()


def plan(*prices: dict, **fields: str) -> dict:
    return {"code": "payg", "name": "Pay as you go", "currency": "USD", "prices": list(prices), **fields}


def test_the_api_drafts_one(meter: None, acme_api: Api) -> None:
    response = acme_api.post("/plans", plan(IN, BASE))
    assert response.status_code == 201
    body = response.json()
    assert (body["plan"], body["number"], body["status"], body["currency"]) == ("payg", 1, "draft", "USD")
    placed = {"billing_timing": "arrears", "filters": {}}
    assert body["prices"] == [
        {**IN, "flat_amount": None, **placed},
        {**BASE, "meter": None, "unit_amount": None, **placed},
    ]


def test_amounts_are_exact(meter: None, acme_api: Api) -> None:
    body = acme_api.post(
        "/plans",
        b"""{"code": "payg", "name": "P", "prices": [
        {"code": "a", "name": "A", "model": "per_unit", "meter": "input_tokens", "unit_amount": 0.000000000000000001},
        {"code": "b", "name": "B", "model": "flat", "flat_amount": 0.1}]}""",
    ).json()
    assert [price["unit_amount"] or price["flat_amount"] for price in body["prices"]] == [
        "0.000000000000000001",
        "0.1",
    ]
    version = PlanVersion.objects.get()
    assert version.prices.get(code="a").unit_amount == Decimal("1e-18")


def test_publishing_freezes_it_once(meter: None, acme_api: Api) -> None:
    acme_api.post("/plans", plan(IN))
    body = acme_api.post("/plans/payg/versions/1/publish").json()
    assert body["status"] == "published"
    assert body["published_at"]
    with nothing_changes_in("acme"):
        again = acme_api.post("/plans/payg/versions/1/publish")
    assert (again.status_code, again.json()["code"]) == (409, "not_a_draft")


def test_a_plan_without_prices_is_not_published(meter: None, acme_api: Api) -> None:
    acme_api.post("/plans", plan())
    with nothing_changes_in("acme"):
        response = acme_api.post("/plans/payg/versions/1/publish")
    assert (response.status_code, response.json()["code"]) == (409, "no_prices")


def test_versions_are_numbered_in_their_order(meter: None, acme_api: Api) -> None:
    acme_api.post("/plans", plan(IN))
    for number in (2, 3):
        assert acme_api.post("/plans/payg/versions", {"prices": [BASE]}).json()["number"] == number
    assert [one["number"] for one in acme_api.get("/plans/payg").json()["versions"]] in ([1, 2, 3], [3, 2, 1])


@pytest.mark.parametrize(
    ("prices", "code", "param"),
    [
        ([{**IN, "meter": "nothing"}], "unknown_meter", "/prices/0/meter"),
        ([IN, {**BASE, "code": "in"}], "duplicate_price", "/prices/1/code"),
        ([IN, {**IN, "code": "in2"}], "duplicate_price", "/prices/1/meter"),
        ([{**IN, "unit_amount": None}], "missing_field", "/prices/0/unit_amount"),
        ([{**IN, "flat_amount": "1"}], "field_not_allowed", "/prices/0/flat_amount"),
        ([{**IN, "meter": ""}], "invalid", "/prices/0/meter"),
        ([{**BASE, "meter": "input_tokens"}], "field_not_allowed", "/prices/0/meter"),
        ([{**BASE, "unit_amount": "1"}], "field_not_allowed", "/prices/0/unit_amount"),
        ([{**IN, "unit_amount": "-1"}], "negative", "/prices/0/unit_amount"),
        ([{**IN, "unit_amount": "0.0000000000000000001"}], "too_many_decimals", "/prices/0/unit_amount"),
        ([{**IN, "unit_amount": "1e40"}], "invalid_number", "/prices/0/unit_amount"),
        ([{**IN, "unit_amount": "NaN"}], "invalid_number", "/prices/0/unit_amount"),
        ([{**IN, "model": "free"}], "invalid", "/prices/0/model"),
    ],
)
def test_a_price_that_makes_no_sense_is_pointed_at(
    meter: None, acme_api: Api, prices: list, code: str, param: str
) -> None:
    with nothing_changes_in("acme"):
        response = acme_api.post("/plans", plan(*prices))
    assert (response.status_code, response.json()["code"], response.json()["param"]) == (400, code, param)


@pytest.mark.parametrize("currency", ["usd", "XXQ", "US", "", "dollars"])
def test_an_unknown_currency_is_refused(meter: None, acme_api: Api, currency: str) -> None:
    response = acme_api.post("/plans", plan(IN, currency=currency))
    assert (response.status_code, response.json()["param"]) == (400, "/currency")
    assert not Plan.objects.exists()


def test_refuses_a_code_twice(meter: None, acme_api: Api) -> None:
    acme_api.post("/plans", plan(IN))
    response = acme_api.post("/plans", plan(BASE))
    assert (response.status_code, response.json()["code"]) == (409, "plan_exists")


def test_only_what_is_published_can_be_archived(in_acme: Tenant) -> None:
    version = make_plan("p", [flat("1")], publish=False)
    with pytest.raises(Refused):
        versions.archive_version(version=version)
    versions.publish_version(version=version, now=NOW)
    assert versions.archive_version(version=version).status == "archived"
    with pytest.raises(Refused):
        versions.archive_version(version=version)
