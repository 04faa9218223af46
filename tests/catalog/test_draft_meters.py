"""A draft meter may change what it measures, an active one never; nobody is billed by a draft."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.audit.models import AuditEntry
from apps.catalog.models import Meter, PlanVersion
from apps.catalog.services import meters
from apps.catalog.services.versions import publish_version
from apps.core.errors import Invalid, Refused
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, flat, make_customer, make_meter, make_plan, per_unit, report

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EU = [{"property": "region", "operator": "in", "values": ["eu"]}]
CHANGES: list[dict[str, Any]] = [
    {"event_name": "other"},
    {"aggregation": "max"},
    {"value_property": "other"},
    {"value_property": "", "value_expression": "2 * a"},
    {"filters": EU},
    {"dimensions": ["model"]},
]


@pytest.fixture
def draft(in_acme: Tenant) -> Meter:
    return make_meter("tokens", status="draft")


@pytest.fixture
def priced(draft: Meter) -> PlanVersion:
    return make_plan("pro", [flat("10"), per_unit("tokens", "0.01")], publish=False)


def test_it_counts_what_comes(draft: Meter) -> None:
    make_customer()
    assert [verdict.status for verdict in report(an_event(properties={"tokens": 5}), now=NOW)] == ["accepted"]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(reversed(change)))
def test_its_definition_may_change(draft: Meter, change: dict[str, Any]) -> None:
    before = {name: getattr(draft, name) for name in change}
    changed = meters.change_draft_meter(meter=draft, **change)
    assert {name: getattr(Meter.objects.get(), name) for name in change} == change
    assert changed.definition_version == Meter.objects.get().definition_version == 2
    assert AuditEntry.objects.get(action="meter.definition_changed").changes == {
        name: [before[name], value] for name, value in change.items()
    }


def test_no_change_is_none(draft: Meter) -> None:
    with nothing_changes_in("acme"):
        meters.change_draft_meter(meter=draft, value_property="tokens", filters=[])


def test_a_change_that_makes_no_sense_is_refused(draft: Meter) -> None:
    with nothing_changes_in("acme"), pytest.raises(Invalid) as error:
        meters.change_draft_meter(meter=draft, value_expression="2 * a")
    assert (error.value.code, error.value.param) == ("invalid_value_expression", "/value_expression")


def test_whoever_keeps_totals_is_told(draft: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, list[str], bool]] = []

    def hook(meter: Meter) -> None:
        told.append(
            (meter.definition_version, meter.dimensions, transaction.get_connection().in_atomic_block)
        )

    monkeypatch.setattr(meters, "definition_changed_hooks", [hook])
    meters.change_draft_meter(meter=draft, dimensions=["model"])
    meters.change_draft_meter(meter=draft, dimensions=["model"])
    meters.change_meter(meter=draft, name="Tokens of all kinds", unit="tok")
    assert told == [(2, ["model"], True)]


def test_what_a_hook_can_not_discard_does_not_change(draft: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    def hook(meter: Meter) -> None:
        raise Refused("busy", "Not now.")

    monkeypatch.setattr(meters, "definition_changed_hooks", [hook])
    with nothing_changes_in("acme"), pytest.raises(Refused, match="Not now"):
        meters.change_draft_meter(meter=draft, dimensions=["model"])


def test_it_becomes_active_once(draft: Meter) -> None:
    assert meters.activate_meter(meter=draft)
    assert Meter.objects.get().status == "active"
    assert AuditEntry.objects.filter(action="meter.activated").count() == 1
    with nothing_changes_in("acme"):
        assert not meters.activate_meter(meter=draft)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(reversed(change)))
def test_an_active_one_is_frozen(draft: Meter, change: dict[str, Any]) -> None:
    meters.activate_meter(meter=draft)
    with nothing_changes_in("acme"), pytest.raises(Refused) as error:
        meters.change_draft_meter(meter=draft, **change)
    assert error.value.code == "meter_is_active"


@pytest.mark.parametrize(
    "change",
    [*CHANGES, {"definition_version": 2}, {"status": "draft"}, {"code": "other"}],
    ids=lambda change: next(reversed(change)),
)
def test_an_active_one_is_frozen_for_every_statement(draft: Meter, change: dict[str, Any]) -> None:
    meters.activate_meter(meter=draft)
    with (
        nothing_changes_in("acme"),
        pytest.raises(IntegrityError, match="meter tokens"),
        transaction.atomic(),
    ):
        Meter.objects.update(**{"definition_version": 1, **change})


@pytest.mark.parametrize(
    "change",
    [*CHANGES, {"definition_version": 0}, {"code": "other", "definition_version": 2}],
    ids=lambda change: next(reversed(change)),
)
def test_a_draft_changes_only_with_its_version(draft: Meter, change: dict[str, Any]) -> None:
    with (
        nothing_changes_in("acme"),
        pytest.raises(IntegrityError, match="tokens measures"),
        transaction.atomic(),
    ):
        Meter.objects.update(**change)


def test_no_price_is_published_for_it(draft: Meter, priced: PlanVersion) -> None:
    with nothing_changes_in("acme"), pytest.raises(Refused) as error:
        publish_version(version=priced, now=NOW)
    assert (error.value.code, error.value.param) == ("meter_is_draft", "/prices/1/meter")
    assert error.value.message == "Tokens: the meter Tokens is a draft; activate it first."
    meters.activate_meter(meter=draft)
    assert publish_version(version=priced, now=NOW).status == "published"


def test_no_statement_publishes_a_price_for_it(priced: PlanVersion) -> None:
    with nothing_changes_in("acme"), pytest.raises(IntegrityError, match="draft meter"), transaction.atomic():
        PlanVersion.objects.update(status="published", published_at=NOW)


def test_the_api_changes_and_activates_it(in_acme: Tenant, acme_api: Api) -> None:
    make_meter("tokens", status="draft")
    changed = acme_api.patch("/meters/tokens", {"name": "All tokens", "filters": EU, "dimensions": ["model"]})
    assert changed.status_code == 200
    body = changed.json()
    assert (body["name"], body["filters"], body["definition_version"]) == ("All tokens", EU, 2)
    assert acme_api.get("/meters", {"status": "draft"}).json()["data"] == [body]
    active = acme_api.post("/meters/tokens/activate").json()
    assert active == {**body, "status": "active"}
    assert acme_api.post("/meters/tokens/activate").json() == active
    assert acme_api.get("/meters", {"status": "draft"}).json()["data"] == []
    with nothing_changes_in("acme"):
        refused = acme_api.patch("/meters/tokens", {"name": "Other", "filters": []})
    assert (refused.status_code, refused.json()["code"], refused.json()["param"]) == (
        409,
        "meter_is_active",
        "/filters",
    )


def test_the_api_publishes_no_price_for_it(priced: PlanVersion, acme_api: Api) -> None:
    refused = acme_api.post("/plans/pro/versions/1/publish")
    assert (refused.status_code, refused.json()["code"]) == (409, "meter_is_draft")


@pytest.mark.parametrize("change", [{"status": "active"}, {"code": "other"}, {"definition_version": 5}])
def test_the_api_takes_no_state_in_a_patch(draft: Meter, acme_api: Api, change: dict[str, Any]) -> None:
    with nothing_changes_in("acme"):
        assert acme_api.patch("/meters/tokens", change).json()["errors"][0]["code"] == "unknown_field"
