"""What the price preview refuses, each with a pointer, and all of it at once."""

from typing import Any

import pytest

from apps.tenants.models import Tenant
from tests.api.previewed import EXAMPLE, per_unit, problems, refused
from tests.harness.clients import Api

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
