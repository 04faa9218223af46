"""Whatever goes wrong is told as a problem document (RFC 9457) with a stable code and a request id."""

import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from apps.customers.services import customers
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import make_customer


def problem(response: HttpResponse) -> dict[str, Any]:
    """The document, after everything that all of them have in common was looked at."""
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:countinghouse:problem:{body['code']}"
    assert re.fullmatch(r"[a-z][a-z0-9_]*", body["code"])
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response["X-Request-Id"]
    return body


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        ("get /nothing", 404, "not_found"),
        ("get /customers/", 404, "not_found"),
        ("get /customers/nobody", 404, "customer_not_found"),
        ("get /customers/nobody/usage", 404, "customer_not_found"),
        ("get /customers/nobody/invoices/upcoming", 404, "customer_not_found"),
        ("get /meters/nothing", 404, "not_found"),
        ("get /plans/nothing", 404, "not_found"),
        ("get /subscriptions/sub_nothing", 404, "not_found"),
        ("get /invoices/inv_nothing", 404, "invoice_not_found"),
        ("get /events/nothing", 404, "event_not_found"),
        ("post /plans/nothing/versions/1/publish", 404, "not_found"),
        ("post /plans/nothing/versions/99999999999999999999/publish", 404, "not_found"),
        ("get /customers?cursor=rubbish", 404, "not_found"),
        ("get /customers/%00", 400, "invalid_url"),
        ("get /customers?external_id=%00", 400, "invalid_url"),
        ("get /events", 405, "method_not_allowed"),
        ("put /customers", 405, "method_not_allowed"),
        ("delete /customers/chat", 405, "method_not_allowed"),
        ("post /customers/chat", 405, "method_not_allowed"),
        ("get /plans/payg/versions", 405, "method_not_allowed"),
    ],
)
def test_a_wrong_address_or_method(acme_api: Api, request_line: str, status: int, code: str) -> None:
    method, path = request_line.split(" ")
    with nothing_changes_in("acme"):
        response = getattr(acme_api.client, method)(f"/api/v1{path}")
    assert (response.status_code, problem(response)["code"]) == (status, code)
    if status == 405:
        assert response["Allow"]


@pytest.mark.parametrize("path", ["/customers", "/meters", "/plans", "/subscriptions"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, "invalid_json")),
        (b"[]", (400, "invalid")),
        (b"null", (400, "invalid")),
        (b'"x"', (400, "invalid")),
        (b"{}", (400, "invalid")),
        (b" " * (1024 * 1024 + 1), (413, "payload_too_large")),
    ],
    ids=["cut", "list", "null", "text", "empty", "large"],
)
def test_a_wrong_body(
    in_acme: Tenant, acme_api: Api, path: str, body: bytes, expected: tuple[int, str]
) -> None:
    with nothing_changes_in("acme"):
        response = acme_api.post(path, body)
    assert (response.status_code, problem(response)["code"]) == expected


def test_names_every_wrong_field_with_a_pointer(in_acme: Tenant, acme_api: Api) -> None:
    body = {"external_id": "a/b", "currency": "XXQ", "time_zone": "Mars/Olympus", "emial": "x", "email": "no"}
    found = problem(acme_api.post("/customers", body))
    assert [(one["param"], one["code"]) for one in found["errors"]] == [("/emial", "unknown_field")]
    del body["emial"]
    found = problem(acme_api.post("/customers", body))
    assert found["param"] == found["errors"][0]["param"]
    assert {one["param"] for one in found["errors"]} == {
        "/external_id",
        "/name",
        "/currency",
        "/time_zone",
        "/email",
    }


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/customers", {"external_id": "x", "name": "X", "nmae": "Y"}, "/nmae"),
        (
            "/meters",
            {"code": "x", "name": "X", "event_name": "e", "aggregation": "count", "unti": "x"},
            "/unti",
        ),
        ("/plans", {"code": "x", "name": "X", "prices": [], "curency": "USD"}, "/curency"),
        (
            "/plans",
            {
                "code": "x",
                "name": "X",
                "prices": [{"code": "b", "name": "B", "model": "flat", "flat_amount": "1", "amount": "1"}],
            },
            "/prices/0/amount",
        ),
        ("/subscriptions", {"customer": "chat", "plan": "x", "start": "2026-01-01T00:00:00Z"}, "/start"),
    ],
)
def test_a_misspelt_field_is_not_ignored(
    in_acme: Tenant, acme_api: Api, path: str, body: dict, param: str
) -> None:
    with nothing_changes_in("acme"):
        found = problem(acme_api.post(path, body))
    assert [(one["param"], one["code"]) for one in found["errors"]] == [(param, "unknown_field")]


def test_a_misspelt_field_of_a_patch_is_not_ignored(in_acme: Tenant, acme_api: Api) -> None:
    make_customer()
    for name in ("nmae", "external_id", "currency", "id"):
        with nothing_changes_in("acme"):
            found = problem(acme_api.patch("/customers/chat", {name: "x"}))
        assert found["errors"][0]["code"] == "unknown_field"


@pytest.mark.parametrize("depth", [100, *range(880, 1000, 9), 5000])
def test_a_body_may_be_nested_as_deep_as_one_likes(in_acme: Tenant, acme_api: Api, depth: int) -> None:
    body = b'{"external_id": "x", "name": "X", "metadata": {"a": ' + b"[" * depth + b"]" * depth + b"}}"
    response = acme_api.post("/customers", body, idempotency_key="a")
    assert problem(response)["status"] == 400


def test_a_fault_of_ours_tells_nothing_of_it(
    in_acme: Tenant, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**fields: Any) -> None:
        make_customer("half")
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr(customers, "create_customer", fail)
    acme_api.client.raise_request_exception = False
    response = acme_api.post("/customers", {"external_id": "x", "name": "X"}, idempotency_key="a")
    assert (response.status_code, problem(response)["code"]) == (500, "internal_error")
    assert b"secret" not in response.content


def test_a_fault_on_a_page_is_a_page(petra, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **fields: Any) -> None:
        raise RuntimeError("the secret of the house")

    monkeypatch.setattr("apps.core.admin_sites.platform_site.each_context", fail)
    petra.client.raise_request_exception = False
    response = petra.get("/admin/")
    assert response.status_code == 500
    assert response["Content-Type"].startswith("text/html")
    assert b"secret" not in response.content


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        ("trace-12345678", True),
        ("a.b_c-9" * 2, True),
        ("short", False),
        ("x" * 65, False),
        ("has space!", False),
        ("new\nline-123", False),
    ],
)
def test_takes_the_caller_s_request_id_when_it_is_plain(
    in_acme: Tenant, acme_api: Api, given: str, is_kept: bool
) -> None:
    response = acme_api.get("/customers/nobody", x_request_id=given)
    assert (problem(response)["request_id"] == given) is is_kept


def test_health_is_told_without_a_key_or_a_known_host(acme: Tenant) -> None:
    for host in ("localhost", "acme.localhost", "10.0.0.7"):
        response = Client(HTTP_HOST=host).get("/healthz")
        assert (response.status_code, response.content) == (200, b"ok")
