"""POST /prices/preview: the calculator. It answers with the arithmetic of the bill and stores nothing."""

from typing import Any

import pytest

from apps.tenants.models import Tenant
from tests.api.previewed import EXAMPLE, per_unit, priced
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.rating.golden_cases import GoldenCase, golden_cases


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
