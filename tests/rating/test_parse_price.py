"""Definitions from JSON: what is accepted, and every refusal with its code and pointer."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.rating import (
    MODELS,
    Commitment,
    Conversion,
    DefinitionError,
    Flat,
    Graduated,
    GraduatedPercentage,
    Percentage,
    PerUnit,
    Price,
    RateTier,
    Rounding,
    Tier,
    definition_to_dict,
    parse_price,
)
from tests.rating.strategies import law

D = Decimal
OPEN = {"up_to": None, "unit_amount": "1"}


def per_unit(**extra: object) -> dict[str, object]:
    return {"model": "per_unit", "unit_amount": "1", **extra}


def graduated(*tiers: object, **extra: object) -> dict[str, object]:
    return {"model": "graduated", "tiers": list(tiers), **extra}


def refusals(data: object, currency: str | None = None) -> list[tuple[str, str]]:
    with pytest.raises(DefinitionError) as refused:
        parse_price(data, currency=currency)
    assert all(problem.message for problem in refused.value.problems)
    return [(problem.code, problem.pointer) for problem in refused.value.problems]


def test_reads_the_price_of_the_api_example() -> None:
    price = parse_price(
        {
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
        currency="USD",
    )

    assert price == Graduated(
        tiers=(
            Tier(up_to=D(1000), unit_amount=D("0.01"), flat_amount=D(0)),
            Tier(up_to=None, unit_amount=D("0.005")),
        )
    )


@pytest.mark.parametrize(
    ("data", "price"),
    [
        ({"model": "flat", "flat_amount": 20}, Flat(flat_amount=D(20))),
        (
            {"model": "flat", "flat_amount": D("9.99"), "currency": "EUR"},
            Flat(flat_amount=D("9.99"), currency="EUR"),
        ),
        (
            per_unit(convert={"divide_by": "1000", "rounding": "up"}),
            PerUnit(unit_amount=D(1), convert=Conversion(divide_by=D(1000), rounding=Rounding.UP)),
        ),
        (
            per_unit(commitment={"amount": "100", "true_up": True, "overage_factor": "1.5"}),
            PerUnit(
                unit_amount=D(1),
                commitment=Commitment(amount=D(100), true_up=True, overage_factor=D("1.5")),
            ),
        ),
        (
            per_unit(commitment={"amount": "10"}, maximum_amount="10"),
            PerUnit(unit_amount=D(1), commitment=Commitment(amount=D(10)), maximum_amount=D(10)),
        ),
        (
            {"model": "percentage", "rate": "0.029", "fixed_amount": "0.30", "events_included": "3"},
            Percentage(rate=D("0.029"), fixed_amount=D("0.30"), events_included=3),
        ),
        (
            {"model": "graduated_percentage", "tiers": [{"rate": "0.01"}], "first_tier_flat_at_zero": False},
            GraduatedPercentage(tiers=(RateTier(up_to=None, rate=D("0.01")),), first_tier_flat_at_zero=False),
        ),
    ],
)
def test_reads_strings_integers_and_decimals(data: object, price: Price) -> None:
    assert parse_price(data) == price


def test_writes_the_shortest_dictionary_that_reads_back() -> None:
    price = Graduated(
        tiers=(Tier(up_to=D("1E+3"), unit_amount=D("0.010")), Tier(up_to=None, flat_amount=D(5))),
        minimum_amount=D("2.50"),
        convert=Conversion(multiply_by=D(8), rounding=Rounding.HALF_UP),
    )

    assert definition_to_dict(price) == {
        "model": "graduated",
        "tiers": [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "flat_amount": "5"}],
        "minimum_amount": "2.5",
        "convert": {"multiply_by": "8", "rounding": "half_up"},
    }
    assert parse_price(definition_to_dict(price)) == price


BAD_NUMBERS = [
    ("abc", "invalid_number"),
    ("", "invalid_number"),
    (" 1", "invalid_number"),
    ("1 ", "invalid_number"),
    ("+1", "invalid_number"),
    ("1,000", "invalid_number"),
    ("1_000", "invalid_number"),
    (".5", "invalid_number"),
    ("5.", "invalid_number"),
    ("1e3", "invalid_number"),
    ("1e400", "invalid_number"),
    ("NaN", "invalid_number"),
    ("sNaN", "invalid_number"),
    ("Infinity", "invalid_number"),
    ("-inf", "invalid_number"),
    ("0x10", "invalid_number"),
    ("١", "invalid_number"),
    ("1\n", "invalid_number"),
    ("9" * 10_000, "invalid_number"),
    ("9" * 21, "out_of_range"),
    (10**21, "out_of_range"),
    (D("1e400"), "out_of_range"),
    ("0.0000000000000000001", "too_many_decimals"),
    (D("1e-400"), "too_many_decimals"),
    (D("NaN"), "not_finite"),
    (D("-Infinity"), "not_finite"),
    ("-1", "negative"),
    (-1, "negative"),
    ("-0.01", "negative"),
    (0.5, "invalid_type"),
    (1.0, "invalid_type"),
    (float("nan"), "invalid_type"),
    (True, "invalid_type"),
    ([], "invalid_type"),
    ({}, "invalid_type"),
]


@pytest.mark.parametrize(("value", "code"), BAD_NUMBERS, ids=lambda value: repr(value)[:30])
def test_refuses_what_is_no_plain_decimal(value: object, code: str) -> None:
    assert refusals({"model": "per_unit", "unit_amount": value}) == [(code, "/unit_amount")]


@pytest.mark.parametrize(
    "value", ["0", "-0", "0.000000000000000001", "9" * 20, "00012.50", "0.5" + "0" * 40, 0, D("1E+3")]
)
def test_accepts_plain_decimals(value: object) -> None:
    parse_price({"model": "per_unit", "unit_amount": value})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # the object itself
        (None, [("invalid_type", "")]),
        ([], [("invalid_type", "")]),
        ("flat", [("invalid_type", "")]),
        ({}, [("missing_field", "/model")]),
        ({"model": None}, [("missing_field", "/model")]),
        ({"model": "magic"}, [("unknown_model", "/model")]),
        ({"model": ["flat"]}, [("unknown_model", "/model")]),
        ({"model": 1}, [("unknown_model", "/model")]),
        # fields that are missing, unknown, or of another model
        ({"model": "flat"}, [("missing_field", "/flat_amount")]),
        ({"model": "flat", "flat_amount": None}, [("missing_field", "/flat_amount")]),
        ({"model": "flat", "flat_amount": "1", "unit_amount": "1"}, [("field_not_allowed", "/unit_amount")]),
        (
            {"model": "flat", "flat_amount": "1", "quantity_included": "5"},
            [("field_not_allowed", "/quantity_included")],
        ),
        ({"model": "flat", "flat_amount": "1", "convert": {}}, [("field_not_allowed", "/convert")]),
        ({"model": "flat", "flat_amount": "1", "commitment": {}}, [("field_not_allowed", "/commitment")]),
        (per_unit(colour="red"), [("unknown_field", "/colour")]),
        (per_unit(**{"a/b~c": 1}), [("unknown_field", "/a~1b~0c")]),
        (per_unit(tiers=[OPEN]), [("field_not_allowed", "/tiers")]),
        (per_unit(flat_amount="1"), [("field_not_allowed", "/flat_amount")]),
        (per_unit(rate="0.1"), [("field_not_allowed", "/rate")]),
        (per_unit(first_tier_flat_at_zero=True), [("field_not_allowed", "/first_tier_flat_at_zero")]),
        ({"model": "package", "unit_amount": "1"}, [("missing_field", "/package_size")]),
        ({"model": "percentage"}, [("missing_field", "/rate")]),
        ({"model": "cost_plus"}, [("missing_field", "/multiplier")]),
        ({"model": "dynamic", "unit_amount": "1"}, [("field_not_allowed", "/unit_amount")]),
        # tiers
        ({"model": "graduated"}, [("missing_field", "/tiers")]),
        (graduated(), [("missing_field", "/tiers")]),
        (graduated() | {"tiers": {}}, [("invalid_type", "/tiers")]),
        (graduated() | {"tiers": "1"}, [("invalid_type", "/tiers")]),
        (graduated("1"), [("invalid_type", "/tiers/0")]),
        (graduated(None), [("invalid_type", "/tiers/0")]),
        (graduated({"up_to": "10", "unit_amount": "1"}), [("open_tier_missing", "/tiers/0/up_to")]),
        (graduated(OPEN, OPEN), [("open_tier_not_last", "/tiers/0/up_to")]),
        (
            graduated({"up_to": "10", "unit_amount": "1"}, {"up_to": "10", "unit_amount": "1"}, OPEN),
            [("tiers_out_of_order", "/tiers/1/up_to")],
        ),
        (
            graduated({"up_to": "20", "unit_amount": "1"}, {"up_to": "10", "unit_amount": "1"}, OPEN),
            [("tiers_out_of_order", "/tiers/1/up_to")],
        ),
        (graduated({"up_to": "0", "unit_amount": "1"}, OPEN), [("out_of_range", "/tiers/0/up_to")]),
        (graduated({"up_to": "-5", "unit_amount": "1"}, OPEN), [("negative", "/tiers/0/up_to")]),
        (graduated({"up_to": "inf", "unit_amount": "1"}, OPEN), [("invalid_number", "/tiers/0/up_to")]),
        (graduated({"up_to": None}), [("missing_field", "/tiers/0/unit_amount")]),
        (graduated({"up_to": None, "rate": "0.1"}), [("unknown_field", "/tiers/0/rate")]),
        (graduated({"up_to": None, "unit_amount": 0.1}), [("invalid_type", "/tiers/0/unit_amount")]),
        (graduated({"up_to": None, "flat_amount": "-1"}), [("negative", "/tiers/0/flat_amount")]),
        ({"model": "graduated_percentage", "tiers": [{"up_to": None}]}, [("missing_field", "/tiers/0/rate")]),
        (
            {"model": "graduated_percentage", "tiers": [{"up_to": None, "rate": "2.9"}]},
            [("out_of_range", "/tiers/0/rate")],
        ),
        (graduated(OPEN, first_tier_flat_at_zero="no"), [("invalid_type", "/first_tier_flat_at_zero")]),
        (graduated(OPEN, first_tier_flat_at_zero=0), [("invalid_type", "/first_tier_flat_at_zero")]),
        # conversion
        (per_unit(convert={}), [("missing_field", "/convert")]),
        (per_unit(convert=[]), [("invalid_type", "/convert")]),
        (per_unit(convert={"divide_by": "0"}), [("out_of_range", "/convert/divide_by")]),
        (per_unit(convert={"multiply_by": "-1"}), [("negative", "/convert/multiply_by")]),
        (
            per_unit(convert={"divide_by": "2", "multiply_by": "2"}),
            [("conflicting_fields", "/convert/multiply_by")],
        ),
        (per_unit(convert={"divide_by": "2", "rounding": "ceil"}), [("invalid_choice", "/convert/rounding")]),
        (per_unit(convert={"divide_by": "2", "rounding": 1}), [("invalid_choice", "/convert/rounding")]),
        (per_unit(convert={"divide_by": "2", "round": "up"}), [("unknown_field", "/convert/round")]),
        (
            {"model": "dynamic", "convert": {"divide_by": "2", "rounding": "up"}},
            [("field_not_allowed", "/convert/rounding")],
        ),
        (
            {"model": "percentage", "rate": "0.1", "convert": {"divide_by": "2", "rounding": "down"}},
            [("field_not_allowed", "/convert/rounding")],
        ),
        # numbers with senseless values
        ({"model": "package", "package_size": "-100", "unit_amount": "1"}, [("negative", "/package_size")]),
        ({"model": "package", "package_size": "0", "unit_amount": "1"}, [("out_of_range", "/package_size")]),
        ({"model": "percentage", "rate": "2.9"}, [("out_of_range", "/rate")]),
        ({"model": "percentage", "rate": "-0.1"}, [("negative", "/rate")]),
        (
            {"model": "percentage", "rate": "0.1", "events_included": "1.5"},
            [("invalid_number", "/events_included")],
        ),
        ({"model": "percentage", "rate": "0.1", "events_included": -1}, [("negative", "/events_included")]),
        (
            {"model": "percentage", "rate": "0.1", "events_included": D(3)},
            [("invalid_type", "/events_included")],
        ),
        ({"model": "percentage", "rate": "0.1", "amount_included": "-1"}, [("negative", "/amount_included")]),
        (
            {"model": "percentage", "rate": "0.1", "amount_included": "1", "quantity_included": "1"},
            [("conflicting_fields", "/quantity_included")],
        ),
        ({"model": "cost_plus", "multiplier": "-1"}, [("negative", "/multiplier")]),
        (per_unit(quantity_included="-1"), [("negative", "/quantity_included")]),
        # discount, minimum, maximum
        (per_unit(discount_percent="100.01"), [("out_of_range", "/discount_percent")]),
        (per_unit(discount_percent="-1"), [("negative", "/discount_percent")]),
        (per_unit(discount_amount="-1"), [("negative", "/discount_amount")]),
        (per_unit(discount_percent="1", discount_amount="1"), [("conflicting_fields", "/discount_amount")]),
        (per_unit(minimum_amount="-1"), [("negative", "/minimum_amount")]),
        (per_unit(maximum_amount="-1"), [("negative", "/maximum_amount")]),
        (per_unit(minimum_amount="2", maximum_amount="1"), [("minimum_above_maximum", "/minimum_amount")]),
        # commitment
        (per_unit(commitment={}), [("missing_field", "/commitment")]),
        (per_unit(commitment={"amount": "0"}), [("out_of_range", "/commitment/amount")]),
        (
            per_unit(commitment={"amount": "1", "quantity": "1"}),
            [("conflicting_fields", "/commitment/quantity")],
        ),
        (
            per_unit(commitment={"amount": "1", "overage_factor": "0.9"}),
            [("out_of_range", "/commitment/overage_factor")],
        ),
        (per_unit(commitment={"amount": "1", "true_up": "true"}), [("invalid_type", "/commitment/true_up")]),
        (
            per_unit(commitment={"amount": "10"}, maximum_amount="9"),
            [("commitment_above_maximum", "/commitment/amount")],
        ),
        (
            {"model": "dynamic", "commitment": {"quantity": "1"}},
            [("field_not_allowed", "/commitment/quantity")],
        ),
        (
            {"model": "percentage", "rate": "0.1", "commitment": {"quantity": "1"}},
            [("field_not_allowed", "/commitment/quantity")],
        ),
        # currency
        (per_unit(currency="EUR"), [("mixed_currencies", "/currency")]),
        (per_unit(currency="usd"), [("unknown_currency", "/currency"), ("mixed_currencies", "/currency")]),
        (per_unit(currency=840), [("invalid_type", "/currency")]),
    ],
    ids=repr,
)
def test_refuses_with_code_and_pointer(data: object, expected: list[tuple[str, str]]) -> None:
    assert refusals(data, currency="USD") == expected


def test_collects_all_problems_at_once() -> None:
    data = {
        "model": "graduated",
        "tiers": [
            {"up_to": "10", "unit_amount": -1},
            {"up_to": "5", "unit_amount": 1.5},
            {"up_to": "x", "unit_amount": "1"},
            {"up_to": "30", "unit_amount": "1"},
        ],
        "rate": "0.1",
        "colour": "red",
        "minimum_amount": "5",
        "maximum_amount": "4",
        "convert": {"divide_by": "0", "rounding": "ceil"},
        "currency": "EUR",
    }

    assert set(refusals(data, currency="USD")) == {
        ("negative", "/tiers/0/unit_amount"),
        ("tiers_out_of_order", "/tiers/1/up_to"),
        ("invalid_type", "/tiers/1/unit_amount"),
        ("invalid_number", "/tiers/2/up_to"),
        ("open_tier_missing", "/tiers/3/up_to"),
        ("field_not_allowed", "/rate"),
        ("unknown_field", "/colour"),
        ("minimum_above_maximum", "/minimum_amount"),
        ("out_of_range", "/convert/divide_by"),
        ("invalid_choice", "/convert/rounding"),
        ("mixed_currencies", "/currency"),
    }


def test_the_constructors_refuse_what_the_parser_refuses() -> None:
    with pytest.raises(DefinitionError) as refused:
        Graduated(
            tiers=(Tier(up_to=D(5), unit_amount=D(1)), Tier(up_to=D(5), unit_amount=D(1))),
            discount_percent=D(101),
            minimum_amount=0.5,  # type: ignore[arg-type]
        )

    assert {(problem.code, problem.pointer) for problem in refused.value.problems} == {
        ("open_tier_missing", "/tiers/1/up_to"),
        ("tiers_out_of_order", "/tiers/1/up_to"),
        ("out_of_range", "/discount_percent"),
        ("invalid_type", "/minimum_amount"),
    }
    assert refused.value.code == refused.value.problems[0].code
    assert "discount_percent" in str(refused.value)


def test_the_caller_s_data_is_left_alone() -> None:
    data = graduated(dict(OPEN), convert={"divide_by": "2"})
    before = repr(data)
    parse_price(data)

    assert repr(data) == before


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({name for price in MODELS.values() for name in price.__dataclass_fields__})


@law
@given(
    st.sampled_from(sorted(MODELS)),
    st.dictionaries(st.sampled_from(FIELDS), json_values | st.decimals(0, 1, places=2).map(str), max_size=6),
)
def test_whatever_comes_is_a_price_or_a_definition_error(model: str, data: dict[str, Any]) -> None:
    try:
        price = parse_price({"model": model, **data})
    except DefinitionError:
        return
    assert parse_price(definition_to_dict(price)) == price
