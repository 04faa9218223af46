"""What is compiled from a meter's columns: which events it takes, and what it reads."""

from decimal import Decimal
from typing import Any

import pytest

from apps.catalog.definitions import measurement_of
from apps.catalog.measure import Measurement, compile_measurement, dimension_text, fits
from apps.tenants.models import Tenant
from tests.harness.factories import make_meter

EU = {"property": "region", "operator": "in", "values": ["eu", "us"]}
PAID = {"property": "tier", "operator": "not_in", "values": ["free", ""]}
LARGE = {"property": "size", "operator": "in", "values": ["4", "1.50", "true"]}


def compiled(*filters: dict[str, Any]) -> Measurement:
    return compile_measurement(
        meter_id=1, event_name="llm.call", aggregation="count", value_property="", value_expression="",
        filters=filters, dimensions=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("filters", "properties", "matches"),
    [
        ((), {}, True),
        ((EU,), {"region": "eu"}, True),
        ((EU,), {"region": "EU"}, False),
        ((EU,), {"region": None}, False),
        ((EU,), {}, False),
        ((PAID,), {"tier": "pro"}, True),
        ((PAID,), {"tier": "free"}, False),
        ((PAID,), {}, False),
        ((EU, PAID), {"region": "us", "tier": "pro"}, True),
        ((EU, PAID), {"region": "us", "tier": "free"}, False),
        ((LARGE,), {"size": 4}, True),
        ((LARGE,), {"size": Decimal("1.50")}, True),
        ((LARGE,), {"size": Decimal("1.5")}, False),
        ((LARGE,), {"size": True}, True),
        ((LARGE,), {"size": ["4"]}, False),
    ],
)
def test_all_filters_must_hold(filters: Any, properties: dict[str, Any], matches: bool) -> None:
    assert compiled(*filters).matches(properties) is matches


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("gpt-5", "gpt-5"), (None, ""), ({}, ""), ([1], ""), (True, "true"), (False, "false"), (7, "7"),
        (Decimal("1E+3"), "1000"), (Decimal("0.10"), "0.10"), ("x" * 300, "x" * 255),
        (Decimal("1E+300"), "1" + "0" * 254),
    ],
)  # fmt: skip
def test_dimension_values_are_text(value: Any, text: str) -> None:
    assert dimension_text(value) == text


@pytest.mark.parametrize(
    ("number", "is_fit"),
    [
        ("0", True), ("-0", True), ("0E-30", True), ("9999999999999999999.999999999999999999", True), ("1E-18", True),
        ("1.50000000000000000000", True), ("1E-20", False), ("100E-20", True),
        ("-1", False), ("10000000000000000000", False), ("1E-19", False), ("1E+100", False), ("NaN", False),
        ("Infinity", False),
    ],
)  # fmt: skip
def test_what_fits_a_reading(number: str, is_fit: bool) -> None:
    assert fits(Decimal(number)) is is_fit


def test_a_stored_meter_is_compiled(in_acme: Tenant) -> None:
    meter = make_meter(
        "weighted",
        value_property="",
        value_expression="a + 5 * b",
        filters=[EU],
        dimensions=["model", "region"],
    )
    found = measurement_of(meter)
    assert (found.meter_id, found.event_name, found.aggregation) == (meter.pk, "llm.call", "sum")
    assert (found.operands, found.dimensions) == (("a", "b"), ("model", "region"))
    assert found.expression is not None
    assert found.expression.evaluate({"a": 1, "b": 2}) == 11
    assert measurement_of(make_meter("plain")).operands == ("plain",)
    assert measurement_of(make_meter("calls", aggregation="count")).operands == ()
    assert measurement_of(make_meter("users", aggregation="unique_count")).operands == ("users",)
