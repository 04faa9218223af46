"""POST /prices/preview: the calculator. It answers with the arithmetic of the bill and stores nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.services.plans import NewPrice
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import make_meter, make_plan
from tests.rating.golden_cases import GoldenCase, golden_cases

URL = "/prices/preview"

EXAMPLE = {
    "currency": "USD",
    "quantity": "1500",
    "event_count": 12,
    "price": {
        "model": "graduated",
        "tiers": [
            {"up_to": "1000", "unit_amount": "0.01", "flat_amount": "0"},
            {"up_to": None, "unit_amount": "0.005"},
        ],
        "quantity_included": "0",
        "minimum_amount": None,
        "maximum_amount": None,
        "discount_percent": None,
        "convert": None,
    },
}


def priced(api: Api, body: Any) -> dict[str, Any]:
    response = api.post(URL, body)
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def refused(api: Api, body: Any) -> dict[str, Any]:
    """A 400 that says everything a client needs, while nothing is stored."""
    with nothing_changes_in("acme", "public"):
        response = api.post(URL, body)
    assert response.status_code == 400, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["request_id"]
    assert found["detail"]
    return found


def problems(found: dict[str, Any]) -> set[tuple[str, str]]:
    """All of them; the first is also at the top."""
    first = found["errors"][0]
    assert found["param"] == first["param"]
    assert all(one["message"] for one in found["errors"])
    return {(one["param"], one["code"]) for one in found["errors"]}


def per_unit(quantity: Any, unit_amount: Any = "0.01", currency: str = "USD", **more: Any) -> dict[str, Any]:
    price = {"model": "per_unit", "unit_amount": unit_amount}
    return {"currency": currency, "quantity": quantity, "price": price, **more}


def test_the_documented_example_to_the_letter(in_acme: Tenant, acme_api: Api) -> None:
    with nothing_changes_in("acme", "globex", "public"):
        found = priced(acme_api, EXAMPLE)
    assert found["amount"] == "12.50"
    assert found["unrounded_amount"] == "12.500000"
    assert found["currency"] == "USD"
    first, second = found["steps"]
    assert first.pop("description") == "Tier 1 (up to 1,000): 1,000 × 0.01 USD"
    assert first == {
        "kind": "tier", "quantity": "1000", "unit_amount": "0.01", "flat_amount": "0", "amount": "10.00",
    }  # fmt: skip
    assert second.pop("description") == "Tier 2: 500 × 0.005 USD"
    assert second == {
        "kind": "tier", "quantity": "500", "unit_amount": "0.005", "flat_amount": "0", "amount": "2.50",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "amount", "unrounded"),
    [
        (per_unit("142500", "0.00003"), "4.28", "4.275000"),  # 142,500 × 0.00003 = 4.275
        (per_unit("8420", "0.00003"), "0.25", "0.252600"),  # 8,420 × 0.00003 = 0.2526
        (per_unit("3", "0.5", "JPY"), "2", "1.500000"),  # a yen has no decimals: 1.5 → 2
        (per_unit("3", "0.0005", "KWD"), "0.002", "0.001500"),  # a dinar has three: 0.0015 → 0.002
        # 10^18 units at twelve decimals: 10^18 × 0.000000000001 = 10^6
        (per_unit("1000000000000000000", "0.000000000001"), "1000000.00", "1000000.000000"),
    ],
)
def test_the_vectors(acme_api: Api, body: dict[str, Any], amount: str, unrounded: str) -> None:
    found = priced(acme_api, body)
    assert (found["amount"], found["unrounded_amount"]) == (amount, unrounded)


def test_ten_and_a_half_units_fall_into_two_tiers(acme_api: Api) -> None:
    tiers = [{"up_to": "10", "unit_amount": "2"}, {"up_to": None, "unit_amount": "1"}]
    found = priced(
        acme_api,
        {"currency": "USD", "quantity": "10.5", "price": {"model": "graduated", "tiers": tiers}},
    )
    assert [step["quantity"] for step in found["steps"]] == ["10", "0.5"]
    assert found["amount"] == "20.50"  # 10 × 2 + 0.5 × 1


def test_tokens_per_thousand_rounded_up(acme_api: Api) -> None:
    price = {"model": "per_unit", "unit_amount": "0.05", "convert": {"divide_by": "1000", "rounding": "up"}}
    found = priced(acme_api, {"currency": "USD", "quantity": "1500", "price": price})
    assert [step["kind"] for step in found["steps"]] == ["convert", "unit"]
    assert found["amount"] == "0.10"  # 1,500 tokens are 2 started thousands


def test_free_events_come_in_order(acme_api: Api) -> None:
    price = {
        "model": "percentage", "rate": "0.029", "fixed_amount": "0.30", "events_included": 2, "amount_included": "150",
    }  # fmt: skip
    events = [{"quantity": "100"}, {"quantity": "80"}, {"quantity": "10"}]
    found = priced(acme_api, {"currency": "USD", "events": events, "price": price})
    # The second crosses 150: its 30 of excess, then 10, at 2.9 %, and two fixed amounts. 40 × 0.029 + 0.60 = 1.76
    assert found["amount"] == "1.76"


def test_dynamic_events_bring_their_price(acme_api: Api) -> None:
    events = [{"quantity": "1000", "unit_amount": "0.002"}, {"quantity": "500", "unit_amount": "0.003"}]
    found = priced(acme_api, {"currency": "USD", "events": events, "price": {"model": "dynamic"}})
    assert found["amount"] == "3.50"  # 1,000 × 0.002 + 500 × 0.003


def test_what_was_billed_is_taken_off(acme_api: Api) -> None:
    found = priced(acme_api, EXAMPLE | {"already_billed": {"quantity": "800", "amount": "8.00"}})
    assert found["amount"] == "4.50"  # 12.50 − 8.00
    credit = priced(acme_api, EXAMPLE | {"already_billed": {"quantity": "2000", "amount": "15.00"}})
    assert (credit["amount"], credit["steps"][-1]["kind"]) == ("-2.50", "credit")


def test_a_flat_fee_needs_no_quantity(acme_api: Api) -> None:
    fee = {"model": "flat", "flat_amount": "9.99"}
    assert priced(acme_api, {"currency": "USD", "price": fee})["amount"] == "9.99"


def test_a_number_is_read_as_exactly_as_a_string(acme_api: Api) -> None:
    """0.1 + 0.2 has no place here: a JSON number never becomes a float."""
    raw = (
        b'{"currency": "USD", "quantity": 123456789.123456789123456789,'
        b' "price": {"model": "per_unit", "unit_amount": 0.000000000000000001}}'
    )
    text = per_unit("123456789.123456789123456789", "0.000000000000000001")
    found = priced(acme_api, raw)
    assert found == priced(acme_api, text)
    assert found["unrounded_amount"] == "0.000000000123456789123456789123456789"
    assert priced(acme_api, per_unit(1500, 0.01)) == priced(acme_api, per_unit("1500", "0.01"))


def test_zeros_and_signs_that_mean_nothing_are_not_repeated(acme_api: Api) -> None:
    for quantity in (b"-0", b"0e-999999999999", b"0e999999999999", b"0.000"):
        body = b'{"currency":"USD","quantity":%s,"price":{"model":"per_unit","unit_amount":"1"}}' % quantity
        found = priced(acme_api, body)
        assert (found["amount"], found["quantity"]) == ("0.00", "0")


# Proration is the subscription's business.
@pytest.mark.parametrize("case", [case for case in golden_cases() if case.part is None][::7], ids=str)
def test_answers_as_the_golden_tables(acme_api: Api, case: GoldenCase) -> None:
    body = {"currency": case.currency, "price": case.price, **case.usage}
    if case.already_billed is not None:
        body["already_billed"] = case.already_billed
    assert priced(acme_api, body)["amount"] == case.amount


GRADUATED = {"model": "graduated"}
OPEN = {"up_to": None, "unit_amount": "1"}


def tiers(*found: Any, **more: Any) -> dict[str, Any]:
    return {**GRADUATED, "tiers": list(found), **more}


MALFORMED: dict[str, tuple[Any, set[tuple[str, str]]]] = {
    "tiers out of order": (
        tiers({"up_to": "10", "unit_amount": "1"}, {"up_to": "5", "unit_amount": "1"}, OPEN),
        {("/price/tiers/1/up_to", "tiers_out_of_order")},
    ),
    "a bound twice": (
        tiers({"up_to": "10", "unit_amount": "1"}, {"up_to": "10.0", "unit_amount": "1"}, OPEN),
        {("/price/tiers/1/up_to", "tiers_out_of_order")},
    ),
    "no open last tier": (
        tiers({"up_to": "10", "unit_amount": "1"}, {"up_to": "20", "unit_amount": "1"}),
        {("/price/tiers/1/up_to", "open_tier_missing")},
    ),
    "an open tier in the middle": (
        tiers(OPEN, {"up_to": "20", "unit_amount": "1"}, OPEN),
        {("/price/tiers/0/up_to", "open_tier_not_last")},
    ),
    "no tiers at all": (tiers(), {("/price/tiers", "missing_field")}),
    "tiers that are no list": ({**GRADUATED, "tiers": OPEN}, {("/price/tiers", "invalid_type")}),
    "a tier that is no object": (tiers("x", OPEN), {("/price/tiers/0", "invalid_type")}),
    "a tier that costs nothing said": (
        tiers({"up_to": None}),
        {("/price/tiers/0/unit_amount", "missing_field")},
    ),
    "a negative tier amount": (
        tiers({"up_to": None, "unit_amount": "-1"}),
        {("/price/tiers/0/unit_amount", "negative")},
    ),
    "a bound of zero": (
        tiers({"up_to": "0", "unit_amount": "1"}, OPEN),
        {("/price/tiers/0/up_to", "out_of_range")},
    ),
    "a negative package size": (
        {"model": "package", "package_size": "-5", "unit_amount": "1"},
        {("/price/package_size", "negative")},
    ),
    "a package of nothing": (
        {"model": "package", "package_size": "0", "unit_amount": "1"},
        {("/price/package_size", "out_of_range")},
    ),
    "mixed currencies": (
        {"model": "flat", "flat_amount": "1", "currency": "EUR"},
        {("/price/currency", "mixed_currencies")},
    ),
    "an unknown model": ({"model": "auction"}, {("/price/model", "unknown_model")}),
    "no model": ({"unit_amount": "1"}, {("/price/model", "missing_field")}),
    "a model that is no text": ({"model": ["flat"]}, {("/price/model", "unknown_model")}),
    "an unknown field": (
        {"model": "per_unit", "unit_amount": "1", "unit_price": "1"},
        {("/price/unit_price", "unknown_field")},
    ),
    "a field of another model": (
        {"model": "per_unit", "unit_amount": "1", "package_size": "10"},
        {("/price/package_size", "field_not_allowed")},
    ),
    "an exponent": ({"model": "per_unit", "unit_amount": "1e-5"}, {("/price/unit_amount", "invalid_number")}),
    "a comma": ({"model": "per_unit", "unit_amount": "1,5"}, {("/price/unit_amount", "invalid_number")}),
    "true for a number": (
        {"model": "per_unit", "unit_amount": True},
        {("/price/unit_amount", "invalid_type")},
    ),
    "nineteen decimals": (
        {"model": "per_unit", "unit_amount": "0.0000000000000000001"},
        {("/price/unit_amount", "too_many_decimals")},
    ),
    "a missing amount": ({"model": "per_unit"}, {("/price/unit_amount", "missing_field")}),
    "a rate in percent": (
        {"model": "percentage", "rate": "2.9"},
        {("/price/rate", "out_of_range")},
    ),
    "two conversions": (
        {"model": "per_unit", "unit_amount": "1", "convert": {"divide_by": "10", "multiply_by": "2"}},
        {("/price/convert/multiply_by", "conflicting_fields")},
    ),
    "a conversion by nothing": (
        {"model": "per_unit", "unit_amount": "1", "convert": {"divide_by": "0"}},
        {("/price/convert/divide_by", "out_of_range")},
    ),
    "an unknown rounding": (
        {"model": "per_unit", "unit_amount": "1", "convert": {"divide_by": "10", "rounding": "even"}},
        {("/price/convert/rounding", "invalid_choice")},
    ),
    "a minimum above the maximum": (
        {"model": "flat", "flat_amount": "1", "minimum_amount": "5", "maximum_amount": "4"},
        {("/price/minimum_amount", "minimum_above_maximum")},
    ),
    "two discounts": (
        {"model": "flat", "flat_amount": "1", "discount_percent": "10", "discount_amount": "1"},
        {("/price/discount_amount", "conflicting_fields")},
    ),
    "a discount of 101 %": (
        {"model": "flat", "flat_amount": "1", "discount_percent": "101"},
        {("/price/discount_percent", "out_of_range")},
    ),
    "an overage factor below one": (
        {"model": "per_unit", "unit_amount": "1", "commitment": {"amount": "1", "overage_factor": "0.9"}},
        {("/price/commitment/overage_factor", "out_of_range")},
    ),
    "a commitment to nothing": (
        {"model": "per_unit", "unit_amount": "1", "commitment": {"true_up": True}},
        {("/price/commitment", "missing_field")},
    ),
    "more free events than a column holds": (
        {"model": "percentage", "rate": "0.01", "events_included": 10**19},
        {("/price/events_included", "out_of_range")},
    ),
    "a list": ([], {("/price", "invalid_type")}),
    "a text": ("flat", {("/price", "invalid_type")}),
    "null": (None, {("/price", "invalid_type")}),
    "many things at once": (
        {
            "model": "graduated",
            "tiers": [{"up_to": "10", "unit_amount": "x"}, {"up_to": "5", "unit_amount": "1"}],
            "minimum_amount": "-1",
            "colour": "blue",
        },
        {
            ("/price/tiers/0/unit_amount", "invalid_number"),
            ("/price/tiers/1/up_to", "tiers_out_of_order"),
            ("/price/tiers/1/up_to", "open_tier_missing"),
            ("/price/minimum_amount", "negative"),
            ("/price/colour", "unknown_field"),
        },
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_definition_is_refused_with_a_pointer(in_acme: Tenant, acme_api: Api, name: str) -> None:
    price, expected = MALFORMED[name]
    found = refused(acme_api, {"currency": "USD", "quantity": "1", "price": price})
    assert problems(found) == expected
    assert found["code"] == found["errors"][0]["code"]


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("NaN", "invalid_number"),
        ("Infinity", "invalid_number"),
        ("1e400", "invalid_number"),
        ("-1", "negative"),
        (-1, "negative"),
        ("abc", "invalid_number"),
        ("", "invalid_number"),
        (" 5", "invalid_number"),
        ("1_000", "invalid_number"),
        ("٣", "invalid_number"),  # a digit, but not one of ours
        (None, "missing_field"),
        (True, "invalid_type"),
        ([1], "invalid_type"),
        ({"value": "1"}, "invalid_type"),
        ("1" * 21, "out_of_range"),
        ("0.0000000000000000001", "too_many_decimals"),
    ],
)
def test_a_quantity_that_is_none_is_refused(in_acme: Tenant, acme_api: Api, quantity: Any, code: str) -> None:
    assert problems(refused(acme_api, per_unit(quantity))) == {("/quantity", code)}


@pytest.mark.parametrize("number", [b"1e400", b"1e99999", b"1e-400", b"-1", b"-1e-5", b"9" * 5000])
def test_a_number_out_of_range_is_refused(in_acme: Tenant, acme_api: Api, number: bytes) -> None:
    body = b'{"currency":"USD","quantity":%s,"price":{"model":"per_unit","unit_amount":"1"}}' % number
    [(pointer, code)] = problems(refused(acme_api, body))
    assert (pointer, code in {"out_of_range", "negative", "too_many_decimals", "not_finite"}) == (
        "/quantity",
        True,
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b'{"quantity": NaN}', b"\xff"])
def test_a_body_that_is_no_object_is_refused(in_acme: Tenant, acme_api: Api, body: bytes) -> None:
    refused(acme_api, body)


def test_problems_of_definition_usage_and_currency_come_together(in_acme: Tenant, acme_api: Api) -> None:
    found = refused(
        acme_api,
        {
            "currency": "usd",
            "quantity": "-1",
            "event_count": "many",
            "price": {"model": "per_unit"},
            "already_billed": {"quantity": "1"},
        },
    )
    assert problems(found) == {
        ("/currency", "unknown_currency"),
        ("/price/unit_amount", "missing_field"),
        ("/quantity", "negative"),
        ("/event_count", "invalid_number"),
        ("/already_billed/amount", "missing_field"),
    }


@pytest.mark.parametrize("currency", [None, 5, ["USD"], {"code": "USD"}, "", "usd", "XAU", "XXX", "US\ud800"])
def test_a_currency_that_is_none_is_refused(in_acme: Tenant, acme_api: Api, currency: Any) -> None:
    found = refused(acme_api, per_unit("1") | {"currency": currency})
    assert {pointer for pointer, _ in problems(found)} == {"/currency"}


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (
            {"events": [{"quantity": "1"}], "price": {"model": "dynamic"}},
            "/events/0/unit_amount",
            "missing_field",
        ),
        (
            {
                "events": [{"quantity": "1", "unit_amount": "1"}],
                "quantity": "2",
                "price": {"model": "dynamic"},
            },
            "/quantity",
            "quantity_mismatch",
        ),
        (
            {
                "quantity": "9",
                "event_count": 3,
                "price": {"model": "percentage", "rate": "0.1", "events_included": 1},
            },
            "/events",
            "events_required",
        ),
        (
            {
                "quantity": "1",
                "already_billed": {"quantity": "1", "amount": "0.005"},
                "price": EXAMPLE["price"],
            },
            "/already_billed/amount",
            "not_whole_minor_units",
        ),
    ],
)
def test_usage_that_the_model_can_not_price_is_refused(
    in_acme: Tenant, acme_api: Api, body: dict[str, Any], pointer: str, code: str
) -> None:
    assert problems(refused(acme_api, {"currency": "USD", **body})) == {(pointer, code)}


def test_an_unknown_field_of_the_request_is_refused(in_acme: Tenant, acme_api: Api) -> None:
    assert problems(refused(acme_api, EXAMPLE | {"quantites": {}})) == {("/quantites", "unknown_field")}


# --- Whole plans


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


# --- Who may ask


def test_a_stranger_s_key_prices_but_sees_no_plan_of_ours(pro: None, globex_api: Api) -> None:
    assert priced(globex_api, EXAMPLE)["amount"] == "12.50"
    response = globex_api.post(URL, {"plan": "pro", "version": 1})
    assert response.status_code == 404


def test_without_a_key_nothing_is_priced(anonymous_api: Api) -> None:
    assert anonymous_api.post(URL, EXAMPLE).status_code == 401


def test_our_key_at_another_host_is_unknown(acme_api: Api, globex: Tenant) -> None:
    assert acme_api.at_host("globex.localhost").post(URL, EXAMPLE).status_code == 401


# --- Anything at all

KEYS = st.sampled_from(
    ["model", "tiers", "unit_amount", "flat_amount", "up_to", "rate", "convert", "divide_by", "rounding", "currency",
     "quantity", "amount", "commitment", "events_included", "first_tier_flat_at_zero", "package_size", "multiplier",
     "minimum_amount", "discount_percent", "overage_factor", "true_up", "\ud800", "a/b~c", ""]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(min_value=-(10**60), max_value=10**60),
    st.sampled_from(["1", "0", "-1", "0.5", "1e5", "NaN", "USD", "EUR", "up", "graduated", "flat", "dynamic"]),
    st.sampled_from(["\x00", "\ud800"]),
    st.sampled_from(["per_unit", "package", "volume", "percentage", "graduated_percentage", "cost_plus"]),
    st.text(max_size=5),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: Number(str(number))),
)  # fmt: skip
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
PRICES = st.one_of(
    JUNK,
    st.builds(
        lambda model, more: {"model": model, **more},
        st.sampled_from(
            ["flat", "per_unit", "graduated", "volume", "package", "percentage", "dynamic", "cost_plus"]
        ),
        st.dictionaries(KEYS, JUNK, max_size=5),
    ),
)


class Number(str):
    """Written into JSON as a number, digit by digit."""


def written(value: Any) -> str:
    if isinstance(value, Number):
        return value.replace("E+", "e+").replace("E-", "e-")
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{written(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(inner) for inner in value) + "]"
    return json.dumps(value)


BODIES = st.fixed_dictionaries(
    {"currency": st.one_of(st.sampled_from(["USD", "JPY", "KWD"]), SCALARS), "price": PRICES},
    optional={
        "quantity": JUNK,
        "event_count": SCALARS,
        "events": st.one_of(JUNK, st.lists(st.dictionaries(KEYS, SCALARS, max_size=3), max_size=3)),
        "already_billed": JUNK,
        "quantities": JUNK,
        "plan": SCALARS,
        "version": SCALARS,
    },
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(BODIES)
def test_whatever_is_sent_the_answer_is_a_price_or_a_reason(acme_api: Api, body: dict[str, Any]) -> None:
    response = acme_api.post(URL, written(body).encode())
    found = response.json()
    if response.status_code == 200:
        assert Decimal(found["amount"]).is_finite()
    else:
        assert response.status_code in {400, 404}, (body, found)
        assert found["code"]
        assert found["detail"]
