"""What an event may hold. The worst a client can send costs that event, with a code and a pointer, and no other."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest

from apps.customers.models import Customer
from apps.usage.models import UsageEvent
from tests.harness.clients import Api
from tests.harness.factories import an_event
from tests.usage.totals import assert_rollups_equal_events, metered


def batch_of(*events_json: str) -> bytes:
    return f'{{"events": [{", ".join(events_json)}]}}'.encode()


def verdict_of(api: Api, event_json: str) -> tuple[str, str, str]:
    """Report an event between two good ones, which must be accepted: (status, code, param) of the odd one."""
    good = [json.dumps(an_event(name)) for name in ("before", "after")]
    response = api.post("/events?results=all", batch_of(good[0], event_json, good[1]))
    assert response.status_code == 200, response.content
    first, odd, last = response.json()["results"]
    assert (first["status"], last["status"]) == ("accepted", "accepted")
    assert odd["index"] == 1
    return odd["status"], odd.get("code", ""), odd.get("param", "")


def with_property(value_json: str, name: str = "input_tokens") -> str:
    common = '"id": "odd", "event": "llm.call", "customer": "chat", "timestamp": "2026-01-15T10:00:00Z"'
    return f'{{{common}, "properties": {{"output_tokens": 1, {json.dumps(name)}: {value_json}}}}}'


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("id", "a\0b", "invalid_id"),
        ("id", "", "invalid_id"),
        ("id", "x" * 256, "invalid_id"),
        ("id", 7, "invalid_id"),
        ("id", None, "missing_id"),
        ("id", ["x"], "invalid_id"),
        ("event", "a\0b", "invalid_event"),
        ("event", "x" * 128, "invalid_event"),
        ("event", None, "missing_event"),
        ("customer", "a\0b", "invalid_customer"),
        ("customer", "x" * 128, "invalid_customer"),
        ("customer", {"id": 1}, "invalid_customer"),
        ("customer", None, "missing_customer"),
        ("source", "a\0b", "invalid_source"),
        ("source", 1, "invalid_source"),
        ("source", "x" * 256, "invalid_source"),
        ("properties", [], "invalid_properties"),
        ("properties", "text", "invalid_properties"),
        ("properties", {f"p{n}": n for n in range(101)}, "too_many_properties"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_field_is_named(chat: Customer, acme_api: Api, field: str, value, code: str) -> None:
    event = {**an_event("odd"), field: value}
    if value is None:
        del event[field]
    assert verdict_of(acme_api, json.dumps(event)) == ("rejected", code, f"/events/1/{field}")


@pytest.mark.parametrize("field", ["id", "event", "customer", "source"])
def test_half_a_surrogate_pair_is_rejected(chat: Customer, acme_api: Api, field: str) -> None:
    event = json.dumps({**an_event("odd"), field: "HALF"}).replace("HALF", "a\\ud800b")
    assert verdict_of(acme_api, event) == ("rejected", f"invalid_{field}", f"/events/1/{field}")


def test_a_whole_surrogate_pair_is_a_character(chat: Customer, acme_api: Api) -> None:
    event = json.dumps({**an_event("odd"), "id": "HALF"}).replace("HALF", "\\ud83d\\ude00")
    assert verdict_of(acme_api, event)[0] == "accepted"
    assert UsageEvent.objects.filter(event_id="😀").exists()


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (r'"a\u0000b"', "note"),
        (r'"\ud800"', "note"),
        (r'["fine", "a\u0000b"]', "note/1"),
        (r'{"deep": ["\udfff"]}', "note/deep/0"),
        (r'{"a/b~c": "\u0000"}', "note/a~1b~0c"),
    ],
)
def test_unstorable_text_is_pointed_at(chat: Customer, acme_api: Api, value: str, param: str) -> None:
    assert verdict_of(acme_api, with_property(value, "note")) == (
        "rejected", "invalid_string", f"/events/1/properties/{param}",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["\\u0000", "\\ud800", "a\\udfffb"])
def test_an_unstorable_name_is_rejected(chat: Customer, acme_api: Api, name: str) -> None:
    event = with_property("1", "NAME").replace("NAME", name)
    assert verdict_of(acme_api, event)[:2] == ("rejected", "invalid_string")


@pytest.mark.parametrize("name", ["tokens", "\\u0000", "\\ud800", "a/b", "x" * 5000])
def test_an_unknown_field_is_rejected(chat: Customer, acme_api: Api, name: str) -> None:
    event = json.dumps({**an_event("odd"), "NAME": 1}).replace("NAME", name)
    assert verdict_of(acme_api, event)[:2] == ("rejected", "unknown_field")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("9" * 5000, "invalid_number"),
        ("0." + "1" * 5000, "invalid_number"),
        ("1e400", "value_out_of_range"),
        ("1e-400", "value_out_of_range"),
        ("1e99999", "invalid_number"),
        ("1e999999999999999999999", "invalid_number"),
        ("1e-999999999999999999999", "invalid_number"),
        ("10000000000000000000", "value_out_of_range"),
        ("0.0000000000000000001", "value_out_of_range"),
        ("-1", "negative_value"),
        ("-0.5", "negative_value"),
        ('"-1"', "negative_value"),
        ('"NaN"', "invalid_value"),
        ('"Infinity"', "invalid_value"),
        ('""', "invalid_value"),
        ('"1,000"', "invalid_value"),
        ('" 1"', "invalid_value"),
        ('"0x10"', "invalid_value"),
        ('"1_000"', "invalid_value"),
        ('"١٢"', "invalid_value"),
        ('"1e400"', "value_out_of_range"),
        ('"0.0000000000000000000"', "value_out_of_range"),
        (f'"0.{"0" * 20_000}"', "value_out_of_range"),
        (f'"{"0" * 100}1"', "value_out_of_range"),
        ('"0e-999"', "value_out_of_range"),
        ("true", "invalid_value"),
        ("[1]", "invalid_value"),
        ('{"n": 1}', "invalid_value"),
    ],
    ids=lambda text: text[:24],
)
def test_a_metered_property_that_is_no_quantity_is_rejected(
    chat: Customer, acme_api: Api, written: str, code: str
) -> None:
    assert verdict_of(acme_api, with_property(written)) == (
        "rejected", code, "/events/1/properties/input_tokens",
    )  # fmt: skip
    assert metered("input_tokens") == 2000
    assert_rollups_equal_events()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ('"-0"', "0"),
        ("0e999", "0"),
        ("0.1", "0.1"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("9999999999999999999.999999999999999999", "9999999999999999999.999999999999999999"),
        ("9007199254740993", "9007199254740993"),
        ("0.12345678901234567", "0.12345678901234567"),
        ('"44.5"', "44.5"),
        ('"+3"', "3"),
        ('".5"', "0.5"),
        ('"1e3"', "1000"),
        ("1E3", "1000"),
    ],
)
def test_a_quantity_is_counted_to_the_last_digit(
    chat: Customer, acme_api: Api, written: str, value: str
) -> None:
    assert verdict_of(acme_api, with_property(written))[0] == "accepted"
    assert Fraction(metered("input_tokens")) == 2000 + Fraction(value)
    assert_rollups_equal_events()


@pytest.mark.parametrize("value", ["1e400", "-1e-400", "0.1000000000000000000001", "18446744073709551616"])
def test_a_number_that_nobody_meters_is_kept_exactly(chat: Customer, acme_api: Api, value: str) -> None:
    assert verdict_of(acme_api, with_property(value, "note"))[0] == "accepted"
    response = acme_api.get("/events/odd")
    assert response.status_code == 200
    found = json.loads(response.content, parse_float=Decimal, parse_int=Decimal)
    assert found["properties"]["note"] == Decimal(value)


@pytest.mark.parametrize("depth", [10, 100, 400, 800, *range(880, 1000, 9), 2000, 100_000])
def test_however_deep_an_event_is_nested_it_gets_an_answer(chat: Customer, acme_api: Api, depth: int) -> None:
    event = with_property("[" * depth + "]" * depth, "note")
    response = acme_api.post("/events?results=all", batch_of(event))
    assert response.status_code in (200, 400)
    if depth <= 10:
        assert response.json()["accepted"] == 1


def test_no_number_at_all_is_no_json(chat: Customer, acme_api: Api) -> None:
    for constant in ("NaN", "Infinity", "-Infinity"):
        response = acme_api.post("/events", batch_of(with_property(constant)))
        assert (response.status_code, response.json()["code"]) == (400, "invalid_json")
    assert not UsageEvent.objects.exists()
