"""The same Idempotency-Key at once: the work is done once, and everybody gets the one answer."""

import json
from functools import partial

import pytest

from apps.audit.models import AuditEntry
from apps.core.models import IdempotencyRecord
from apps.customers.models import Customer
from apps.customers.services import customers
from apps.tenants.models import Tenant
from tests.concurrency.together import returned, together
from tests.harness.clients import Api
from tests.harness.factories import make_customer

BODY = {"external_id": "chat", "name": "Chat"}


def post(api: Api, body: dict, key: str) -> tuple[int, bytes, str]:
    response = api.post("/customers", body, idempotency_key=key)
    return response.status_code, response.content, response.get("Idempotent-Replayed", "false")


def test_runs_once(fresh_database: str, in_acme: Tenant, acme_api: Api) -> None:
    answers = returned(together(in_acme, [partial(post, acme_api, BODY, "k")] * 6))
    assert {status for status, _, _ in answers} == {201}
    assert len({content for _, content, _ in answers}) == 1
    assert sorted(replayed for _, _, replayed in answers) == ["false"] + ["true"] * 5
    assert Customer.objects.count() == IdempotencyRecord.objects.count() == 1
    assert AuditEntry.objects.filter(action="customer.created").count() == 1


def test_another_body_is_refused_even_at_once(fresh_database: str, in_acme: Tenant, acme_api: Api) -> None:
    bodies = [{"external_id": f"c{number}", "name": "C"} for number in range(4)]
    answers = returned(together(in_acme, [partial(post, acme_api, body, "k") for body in bodies]))
    assert sorted(status for status, _, _ in answers) == [201, 422, 422, 422]
    assert Customer.objects.count() == 1


def test_a_second_caller_does_the_work_when_the_first_fails(
    fresh_database: str, in_acme: Tenant, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = customers.create_customer, []

    def dies_once(**fields):
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("in the middle of the work")
        return original(**fields)

    monkeypatch.setattr(customers, "create_customer", dies_once)
    answers = together(in_acme, [partial(post, acme_api, BODY, "k")] * 2)
    assert sorted(type(answer).__name__ for answer in answers) == ["ConnectionError", "tuple"]
    [done] = [answer for answer in answers if isinstance(answer, tuple)]
    assert (done[0], done[2]) == (201, "false")
    assert Customer.objects.count() == 1


def test_one_customer_made_by_all_at_once_exists_once(
    fresh_database: str, in_acme: Tenant, acme_api: Api
) -> None:
    def create() -> int:
        return acme_api.post("/customers", BODY).status_code

    assert sorted(returned(together(in_acme, [create] * 4))) == [201, 409, 409, 409]
    assert Customer.objects.count() == 1


def test_changes_of_different_fields_at_once_all_stay(
    fresh_database: str, in_acme: Tenant, acme_api: Api
) -> None:
    make_customer()
    changes = [{"city": "Berlin"}, {"country": "DE"}, {"tax_id": "DE1"}, {"postal_code": "10115"}]

    def change(body: dict) -> int:
        return acme_api.patch("/customers/chat", body).status_code

    assert returned(together(in_acme, [partial(change, body) for body in changes])) == [200] * 4
    found = json.loads(acme_api.get("/customers/chat").content)
    assert {name: found[name] for change in changes for name in change} == {
        name: value for change in changes for name, value in change.items()
    }
