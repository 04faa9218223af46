"""Meters: made through the API, never changed in what they measure."""

from datetime import UTC, datetime

import pytest

from apps.audit.models import AuditEntry
from apps.catalog.models import Meter
from apps.catalog.services.meters import archive_meter
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_customer, make_meter, report

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GOOD = {
    "code": "input_tokens", "name": "Input tokens", "event_name": "llm.call", "aggregation": "sum",
    "value_property": "input_tokens", "dimensions": ["model", "region"], "unit": "token",
}  # fmt: skip


def test_the_api_makes_one(in_acme: Tenant, acme_api: Api) -> None:
    response = acme_api.post("/meters", GOOD)
    assert response.status_code == 201
    body = response.json()
    assert {name: body[name] for name in GOOD} == GOOD
    assert body["archived_at"] is None
    assert acme_api.get("/meters/input_tokens").json() == body
    assert acme_api.get("/meters").json()["data"] == [body]
    assert AuditEntry.objects.filter(action="meter.created").count() == 1


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"code": "Tokens"}, "/code"),
        ({"code": "a/b"}, "/code"),
        ({"code": "x" * 64}, "/code"),
        ({"aggregation": "median"}, "/aggregation"),
        ({"aggregation": "count"}, "/value_property"),
        ({"value_property": ""}, "/value_property"),
        ({"dimensions": [f"d{number}" for number in range(9)]}, "/dimensions"),
        ({"dimensions": "model"}, "/dimensions"),
        ({"name": ""}, "/name"),
        ({"event_name": "x" * 128}, "/event_name"),
    ],
)
def test_refuses_what_measures_nothing(in_acme: Tenant, acme_api: Api, change: dict, param: str) -> None:
    with nothing_changes_in("acme"):
        response = acme_api.post("/meters", {**GOOD, **change})
    assert response.status_code == 400
    assert response.json()["param"].startswith(param)


def test_refuses_a_code_twice(in_acme: Tenant, acme_api: Api) -> None:
    acme_api.post("/meters", GOOD)
    with nothing_changes_in("acme"):
        response = acme_api.post("/meters", {**GOOD, "name": "Other"})
    assert (response.status_code, response.json()["code"]) == (409, "meter_exists")


def test_an_archived_one_counts_no_more_and_keeps_what_it_counted(in_acme: Tenant) -> None:
    make_customer()
    meter = make_meter()
    report(an_event("a"), now=NOW)
    assert archive_meter(meter=meter, now=NOW)
    assert [verdict.status for verdict in report(an_event("b"), now=NOW)] == ["quarantined"]
    assert Meter.objects.get().archived_at == NOW
    with nothing_changes_in("acme"):
        assert not archive_meter(meter=meter, now=NOW)


def test_names_may_change_and_what_is_measured_may_not(acme_api: Api) -> None:
    created = acme_api.post("/meters", GOOD).json()
    renamed = acme_api.patch(f"/meters/{GOOD['code']}", {"name": "Prompt tokens", "unit": "tok"})
    assert renamed.json() == {**created, "name": "Prompt tokens", "unit": "tok"}
    refused = acme_api.patch(f"/meters/{GOOD['code']}", {"event_name": "other"})
    assert (refused.status_code, refused.json()["param"]) == (409, "/event_name")
    assert acme_api.get(f"/meters/{GOOD['code']}").json() == renamed.json()


def test_an_archived_meter_counts_no_more(in_acme: Tenant, acme_api: Api) -> None:
    acme_api.post("/meters", GOOD)
    archived = acme_api.post(f"/meters/{GOOD['code']}/archive").json()["archived_at"]
    assert archived is not None
    assert acme_api.post(f"/meters/{GOOD['code']}/archive").json()["archived_at"] == archived, (
        "the first stays"
    )
    make_customer()
    assert acme_api.report(an_event())["quarantined"] == 1
