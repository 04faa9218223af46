"""What can be measured: by the API with a pointer to the mistake, and by PostgreSQL whoever writes the row."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.catalog.models import Meter
from apps.catalog.services import meters
from apps.core.errors import Invalid
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in

GOOD = {
    "code": "weighted", "name": "Weighted tokens", "status": "draft", "event_name": "llm.call", "aggregation": "sum",
    "value_property": "", "value_expression": "input_tokens + 5 * output_tokens",
    "filters": [{"property": "region", "operator": "in", "values": ["eu", "us"]}], "dimensions": ["model"],
    "unit": "token", "display_unit": "M tokens", "display_unit_size": "1000000", "cardinality_warning_from": 500,
}  # fmt: skip
EU = {"property": "region", "operator": "in", "values": ["eu"]}
VALUED = ("sum", "max", "min", "latest", "time_weighted_sum")
# Aggregation, property, expression: what fits together.
FITS = {
    *((name, "tokens", "") for name in VALUED),
    *((name, "", "2 * a") for name in VALUED),
    ("count", "", ""),
    ("unique_count", "user", ""),
}
ALL = [
    (aggregation, name, text)
    for aggregation in Meter.Aggregation.values
    for name in ("", "user" if aggregation == "unique_count" else "tokens")
    for text in ("", "2 * a")
]


def columns(**change: Any) -> dict[str, Any]:
    fields = {**GOOD, "display_unit_size": Decimal(1_000_000), **change}
    return {name: value for name, value in fields.items() if value is not ...}


def test_the_api_makes_one_with_everything(in_acme: Tenant, acme_api: Api) -> None:
    response = acme_api.post("/meters", GOOD)
    assert response.status_code == 201
    body = response.json()
    assert {name: body[name] for name in GOOD} == GOOD
    assert body["definition_version"] == 1


def test_little_is_needed(in_acme: Tenant, acme_api: Api) -> None:
    given = {"code": "calls", "name": "Calls", "event_name": "llm.call", "aggregation": "count"}
    body = acme_api.post("/meters", given).json()
    del body["created_at"]
    assert body == {
        **given, "status": "active", "value_property": "", "value_expression": "", "filters": [], "dimensions": [],
        "definition_version": 1, "unit": "unit", "display_unit": "", "display_unit_size": "1",
        "cardinality_warning_from": 10000, "archived_at": None,
    }  # fmt: skip


@pytest.mark.parametrize(("aggregation", "name", "text"), ALL)
def test_each_aggregation_reads_what_it_can(in_acme: Tenant, aggregation: str, name: str, text: str) -> None:
    fields = columns(aggregation=aggregation, value_property=name, value_expression=text)
    if (aggregation, name, text) in FITS:
        assert meters.create_meter(**fields).pk
        return
    with nothing_changes_in("acme"), pytest.raises(Invalid):
        meters.create_meter(**fields)
    with nothing_changes_in("acme"), pytest.raises(IntegrityError, match="value_fits"), transaction.atomic():
        Meter.objects.create(**fields)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"aggregation": "median"}, "value_fits"),
        ({"status": "gone"}, "meter_status"),
        ({"filters": {}}, "filters_are_a_list"),
        ({"filters": "region"}, "filters_are_a_list"),
        ({"dimensions": list("abcdefghi")}, "eight_dimensions"),
        ({"display_unit_size": 0}, "display_unit"),
        ({"display_unit_size": -1}, "display_unit"),
        ({"display_unit": ""}, "display_unit"),
        ({"cardinality_warning_from": 0}, "counts_from_one"),
        ({"definition_version": 0}, "counts_from_one"),
    ],
)
def test_the_table_takes_nothing_else(in_acme: Tenant, change: dict[str, Any], constraint: str) -> None:
    with nothing_changes_in("acme"), pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Meter.objects.create(**columns(**change))


@pytest.mark.parametrize("column", ["filters", "value_expression", "display_unit_size", "status"])
def test_nothing_is_null(in_acme: Tenant, column: str) -> None:
    with nothing_changes_in("acme"), pytest.raises(IntegrityError), transaction.atomic():
        Meter.objects.create(**columns(**{column: None}))


MISTAKES = [
    ({"value_expression": "input_tokens + "}, "/value_expression", "At character 16: A property"),
    ({"value_expression": "a / 3"}, "/value_expression", "At character 5: Dividing by 3"),
    ({"filters": [EU] * 11}, "/filters", "at most 10"),
    ({"filters": [EU, {**EU, "operator": "is"}]}, "/filters/1/operator", "in or not_in"),
    ({"filters": [{**EU, "property": ""}]}, "/filters/0/property", "1 to 127"),
    ({"filters": [{**EU, "property": 5}]}, "/filters/0/property", "1 to 127"),
    ({"filters": [{**EU, "values": []}]}, "/filters/0/values", "1 to 20"),
    ({"filters": [{**EU, "values": ["a"] * 21}]}, "/filters/0/values", "1 to 20"),
    ({"filters": [{**EU, "values": "eu"}]}, "/filters/0/values", "1 to 20"),
    ({"filters": [{**EU, "values": ["eu", 5]}]}, "/filters/0/values/1", "text"),
    ({"filters": [{**EU, "values": ["x" * 256]}]}, "/filters/0/values/0", "255"),
    ({"filters": [{**EU, "values": ["\0"]}]}, "/filters/0/values/0", "text"),
    ({"filters": ["region"]}, "/filters/0", "a property, an operator and values"),
    ({"filters": [{"property": "region", "operator": "in"}]}, "/filters/0", "a property, an operator"),
    ({"filters": [{**EU, "more": 1}]}, "/filters/0", "a property, an operator and values"),
    ({"dimensions": list("abcdefghi")}, "/dimensions", "at most 8"),
    ({"display_unit": ""}, "/display_unit", "Name the unit"),
    ({"display_unit_size": Decimal(0)}, "/display_unit_size", "above zero"),
]  # fmt: skip


# JSON brings no Decimal, and a number there is taken as its text.
IN_PYTHON = (
    {"filters": [{**EU, "property": 5}]},
    {"filters": [{**EU, "values": ["eu", 5]}]},
    {"display_unit_size": Decimal(0)},
)


@pytest.mark.parametrize(("change", "param", "message"), MISTAKES)
def test_a_mistake_is_pointed_at(in_acme: Tenant, change: dict[str, Any], param: str, message: str) -> None:
    with nothing_changes_in("acme"), pytest.raises(Invalid, match=message) as error:
        meters.create_meter(**columns(**change))
    assert error.value.param == param


@pytest.mark.parametrize(
    ("change", "param"),
    [(change, param) for change, param, _ in MISTAKES if change not in IN_PYTHON]
    + [
        ({"display_unit_size": "0"}, "/display_unit_size"),
        ({"display_unit_size": "many"}, "/display_unit_size"),
        ({"cardinality_warning_from": 0}, "/cardinality_warning_from"),
        ({"status": "archived"}, "/status"),
        ({"definition_version": 3}, "/definition_version"),
    ],
)
def test_the_api_points_at_a_mistake(
    in_acme: Tenant, acme_api: Api, change: dict[str, Any], param: str
) -> None:
    with nothing_changes_in("acme"):
        response = acme_api.post("/meters", {**GOOD, **change})
    assert response.status_code == 400
    assert response.json()["param"].startswith(param)


def test_all_mistakes_are_told_at_once(in_acme: Tenant) -> None:
    with pytest.raises(Invalid) as error:
        meters.create_meter(**columns(value_expression="", filters=[{**EU, "operator": "is"}]))
    assert [problem["param"] for problem in error.value.errors or []] == [
        "/value_property",
        "/filters/0/operator",
    ]


def test_how_it_is_shown_may_change_at_any_time(in_acme: Tenant, acme_api: Api) -> None:
    meters.create_meter(**columns(status="active"))
    change = {"display_unit": "K tokens", "display_unit_size": "1000", "cardinality_warning_from": 7}
    changed = acme_api.patch("/meters/weighted", change).json()
    assert {name: changed[name] for name in change} == change
    with nothing_changes_in("acme"):
        assert acme_api.patch("/meters/weighted", {"display_unit": ""}).json()["param"] == "/display_unit"
