"""`Idempotency-Key`: the same request gets the same answer, and the work is done once."""

import pytest

from apps.core.models import IdempotencyRecord
from apps.customers.models import Customer
from apps.customers.services import customers
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import make_subscription
from tests.invoices.test_close_periods import FEBRUARY

BODY = {"external_id": "chat", "name": "Chat"}


def test_a_retry_gets_the_first_answer(in_acme: Tenant, acme_api: Api) -> None:
    first = acme_api.post("/customers", BODY, idempotency_key="k")
    with nothing_changes_in("acme"):
        second = acme_api.post("/customers", BODY, idempotency_key="k")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert (first.get("Idempotent-Replayed"), second["Idempotent-Replayed"]) == (None, "true")


def test_the_same_body_written_differently_is_the_same(in_acme: Tenant, acme_api: Api) -> None:
    acme_api.post("/customers", BODY, idempotency_key="k")
    again = acme_api.post("/customers", b'{ "name":"\\u0043hat", "external_id":"chat" }', idempotency_key="k")
    assert again["Idempotent-Replayed"] == "true"


def test_without_the_header_nothing_is_remembered(in_acme: Tenant, acme_api: Api) -> None:
    acme_api.post("/customers", BODY)
    assert acme_api.post("/customers", BODY).json()["code"] == "customer_exists"
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize(
    ("path", "body"),
    [("/customers", {**BODY, "name": "Other"}), ("/meters", BODY), ("/plans", {**BODY, "x": [1.5]})],
)
def test_another_request_with_the_key_is_refused(
    in_acme: Tenant, acme_api: Api, path: str, body: dict
) -> None:
    acme_api.post("/customers", BODY, idempotency_key="k")
    with nothing_changes_in("acme"):
        response = acme_api.post(path, body, idempotency_key="k")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


def test_an_error_is_not_remembered(in_acme: Tenant, acme_api: Api) -> None:
    refused = acme_api.post("/customers", {**BODY, "currency": "nope"}, idempotency_key="k")
    assert refused.status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert acme_api.post("/customers", BODY, idempotency_key="k").status_code == 201


def test_a_fault_rolls_back_the_work_and_the_record(
    in_acme: Tenant, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = customers.create_customer

    def half(**fields: str) -> Customer:
        original(**fields)
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(customers, "create_customer", half)
        with nothing_changes_in("acme"), pytest.raises(ConnectionError):
            acme_api.post("/customers", BODY, idempotency_key="k")
    assert not IdempotencyRecord.objects.exists()
    assert acme_api.post("/customers", BODY, idempotency_key="k").status_code == 201


def test_tenants_may_use_the_same_key(in_acme: Tenant, acme_api: Api, globex_api: Api) -> None:
    assert acme_api.post("/customers", BODY, idempotency_key="k").status_code == 201
    answer = globex_api.post("/customers", {**BODY, "name": "Other"}, idempotency_key="k")
    assert (answer.status_code, answer.json()["name"]) == (201, "Other")


def test_a_key_that_is_too_long_is_refused(in_acme: Tenant, acme_api: Api) -> None:
    assert acme_api.post("/customers", BODY, idempotency_key="k" * 255).status_code == 201
    response = acme_api.post("/customers", BODY, idempotency_key="k" * 256)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_idempotency_key")


def test_an_invoice_is_finalized_once(in_acme: Tenant, acme_api: Api) -> None:
    make_subscription()
    close_due_periods(FEBRUARY)
    path = f"/invoices/{Invoice.objects.get().public_id}/finalize"
    first = acme_api.post(path, idempotency_key="k")
    second = acme_api.post(path, idempotency_key="k")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
