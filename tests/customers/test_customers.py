"""Customers: two ids, an address, and only such changes as were asked for."""

import pytest

from apps.audit.models import AuditEntry
from apps.customers.models import Customer
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import make_customer

FULL = {
    "external_id": "chat", "name": "Chat Inc.", "email": "billing@chat.example", "currency": "EUR",
    "time_zone": "Europe/Berlin", "address_line1": "1 Main St", "address_line2": "", "city": "Berlin",
    "postal_code": "10115", "region": "", "country": "DE", "tax_id": "DE123456789", "metadata": {"crm": "42"},
}  # fmt: skip


def test_the_api_makes_one_that_is_found_by_either_id(in_acme: Tenant, acme_api: Api) -> None:
    response = acme_api.post("/customers", FULL)
    assert response.status_code == 201
    body = response.json()
    assert {name: body[name] for name in FULL} == FULL
    assert body["id"].startswith("cus_")
    assert body["parent"] is None
    for reference in ("chat", body["id"]):
        assert acme_api.get(f"/customers/{reference}").json() == body


def test_only_what_is_necessary_is_asked_for(in_acme: Tenant, acme_api: Api) -> None:
    body = acme_api.post("/customers", {"external_id": "x", "name": "X"}).json()
    assert (body["currency"], body["time_zone"], body["metadata"], body["email"]) == ("USD", "UTC", {}, "")


@pytest.mark.parametrize(
    "external_id",
    ["a", "user@example.com", "Ünï côdé", "a b", "x" * 127, "00000000-0000-0000-0000-000000000000", "a:b|c"],
)
def test_an_external_id_may_be_what_the_integrator_has(
    in_acme: Tenant, acme_api: Api, external_id: str
) -> None:
    made = acme_api.post("/customers", {"external_id": external_id, "name": "X"})
    assert made.status_code == 201
    assert acme_api.get(f"/customers/{external_id}").json() == made.json()


@pytest.mark.parametrize(
    "external_id", ["", " ", "a/b", "a?b", "a#b", "cus_abc", "x" * 128, "a\nb", "a\0b", None, ["x"]]
)
def test_an_external_id_that_no_url_could_hold_is_refused(
    in_acme: Tenant, acme_api: Api, external_id
) -> None:
    response = acme_api.post("/customers", {"external_id": external_id, "name": "X"})
    assert (response.status_code, response.json()["param"]) == (400, "/external_id")
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no"),
        ("currency", "euro"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../etc/passwd"),
        ("country", "Germany"),
        ("country", "de"),
        ("metadata", []),
        ("metadata", {"a": 1}),
        ("metadata", {"a": {"b": "c"}}),
        ("metadata", {"a": "\0"}),
        ("metadata", {str(number): "x" for number in range(51)}),
        ("name", ""),
        ("name", "a\0b"),
        ("name", "x" * 201),
    ],
)
def test_a_wrong_field_is_pointed_at(in_acme: Tenant, acme_api: Api, field: str, value) -> None:
    response = acme_api.post("/customers", {"external_id": "x", "name": "X", field: value})
    assert (response.status_code, response.json()["param"].split("/")[1]) == (400, field)
    assert not Customer.objects.exists()


def test_refuses_an_external_id_twice(in_acme: Tenant, acme_api: Api) -> None:
    make_customer()
    with nothing_changes_in("acme"):
        response = acme_api.post("/customers", {"external_id": "chat", "name": "Other"})
    assert (response.status_code, response.json()["code"], response.json()["param"]) == (
        409, "customer_exists", "/external_id",
    )  # fmt: skip


def test_a_patch_changes_what_is_given_and_says_so(in_acme: Tenant, acme_api: Api) -> None:
    before = acme_api.post("/customers", FULL).json()
    response = acme_api.patch("/customers/chat", {"city": "Bonn", "country": "DE"})
    assert response.json() == {**before, "city": "Bonn"}
    entry = AuditEntry.objects.get(action="customer.changed")
    assert entry.changes == {"city": ["Berlin", "Bonn"]}
    assert (entry.actor_kind, entry.actor, entry.target_id) == ("api_key", "ch_live_acme_aaaa", before["id"])


def test_a_patch_that_changes_nothing_leaves_no_entry(in_acme: Tenant, acme_api: Api) -> None:
    acme_api.post("/customers", FULL)
    with nothing_changes_in("acme"):
        assert acme_api.patch("/customers/chat", {"city": "Berlin"}).status_code == 200
        assert acme_api.patch("/customers/chat", {}).status_code == 200


def test_the_currency_is_for_good(in_acme: Tenant, acme_api: Api) -> None:
    """What was billed in one currency can't be told in another."""
    acme_api.post("/customers", FULL)
    assert (
        acme_api.patch("/customers/chat", {"currency": "USD"}).json()["errors"][0]["code"] == "unknown_field"
    )


def test_a_parent_is_named_by_either_id(acme_api: Api) -> None:
    acme_api.post("/customers", {"external_id": "org", "name": "Org"})
    org = acme_api.get("/customers/org").json()["id"]
    made = acme_api.post("/customers", {"external_id": "red", "name": "Red", "parent": "org"})
    assert (made.status_code, made.json()["parent"]) == (201, org)
    assert acme_api.patch("/customers/red", {"parent": None}).json()["parent"] is None
    assert acme_api.patch("/customers/red", {"parent": org}).json()["parent"] == org
    assert acme_api.patch("/customers/red", {"parent": "nobody"}).json()["code"] == "customer_not_found"
    assert acme_api.patch("/customers/red", {"parent": "red"}).json()["code"] == "own_parent"


def test_a_parent_that_pays_stays_the_parent(acme_api: Api) -> None:
    for name in ("org", "other"):
        acme_api.post("/customers", {"external_id": name, "name": name})
    acme_api.post("/customers", {"external_id": "red", "name": "Red", "parent": "org"})
    acme_api.post("/customers/red/bill_to_parent", {"when": "now", "reason": "One budget"})
    refused = acme_api.patch("/customers/red", {"parent": "other"})
    assert (refused.status_code, refused.json()["code"]) == (409, "billed_to_parent")
    assert acme_api.patch("/customers/red", {"parent": "org", "name": "Reds"}).status_code == 200
