"""The same Idempotency-Key at once: the work is done once, and everybody gets the one answer."""

import json
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from psycopg.errors import DeadlockDetected

from apps.audit.models import AuditEntry
from apps.core.api import idempotency
from apps.core.models import IdempotencyRecord
from apps.customers.models import Customer
from apps.customers.services import customers
from apps.tenants.models import Tenant
from apps.usage.models import UsageCorrection
from apps.usage.services.corrections import totals, void_event
from tests.concurrency.together import returned, together
from tests.harness.clients import Api
from tests.harness.factories import an_event, make_customer, make_meter, report

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


def voids(api: Api, count: int) -> dict[str, Any]:
    body = {"events": [{"id": f"e{number}"} for number in range(count)], "reason": "Test data"}
    response = api.post("/corrections/void", body, idempotency_key="k")
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


@pytest.fixture
def reported(fresh_database: str, in_acme: Tenant) -> None:
    make_customer()
    make_meter(value_property="input_tokens")
    report(*(an_event(f"e{number}") for number in range(5)))


def test_voids_are_transactions_of_their_own_and_none_is_done_twice(
    reported: None, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = void_event.void_event, []

    def dies_once(**given: Any) -> UsageCorrection:
        calls.append(given["event_id"])
        if len(calls) == 3:
            raise ConnectionError("in the middle of the work")
        return original(**given)

    monkeypatch.setattr(void_event, "void_event", dies_once)
    with pytest.raises(ConnectionError):
        voids(acme_api, 4)
    # What was done is committed, and a batch need not wait for the rest.
    assert UsageCorrection.objects.count() == 2
    answer = voids(acme_api, 4)
    assert (answer["voided"], answer["refused"]) == (4, 0)
    assert calls == ["e0", "e1", "e2", "e2", "e3"]
    assert voids(acme_api, 4) == answer
    assert UsageCorrection.objects.count() == 4
    other = {"events": [{"id": "e4"}], "reason": "Test data"}
    assert acme_api.post("/corrections/void", other, idempotency_key="k").status_code == 422


def test_a_kill_before_the_answer_was_kept_changes_no_answer(
    reported: None, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*given: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(idempotency.Use, "remember", dies)
        with pytest.raises(ConnectionError):
            voids(acme_api, 3)
    assert UsageCorrection.objects.count() == 3
    assert (voids(acme_api, 3)["voided"], UsageCorrection.objects.count()) == (3, 3)


def test_the_same_voids_at_once_are_done_once(reported: None, in_acme: Tenant, acme_api: Api) -> None:
    answers = returned(together(in_acme, [partial(voids, acme_api, 5)] * 4))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["voided"] == UsageCorrection.objects.count() == 5


def test_an_invalid_body_leaves_the_key_free(reported: None, acme_api: Api) -> None:
    wrong = acme_api.post("/corrections/void", {"events": [], "reason": ""}, idempotency_key="k")
    assert (wrong.status_code, IdempotencyRecord.objects.count()) == (400, 0)
    assert voids(acme_api, 1)["voided"] == 1


def test_a_deadlock_is_tried_again_with_a_key_too(
    reported: None, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    january = {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z", "reason": "Lost"}
    path = f"/backfills/{acme_api.post('/backfills', {**january, 'mode': 'replace'}).json()['id']}"
    rebuild, calls = totals.rebuild, []

    def deadlocks_once(hours: Any) -> None:
        rebuild(hours)
        calls.append(1)
        if len(calls) % 2:
            raise OperationalError("deadlock detected") from DeadlockDetected()

    monkeypatch.setattr(totals, "rebuild", deadlocks_once)
    closed = acme_api.post(f"{path}/close", idempotency_key="c")
    assert (closed.status_code, closed.json()["outcome"]["voided"]) == (200, 5)
    reverted = acme_api.post(f"{path}/revert", {"reason": "Wrong"}, idempotency_key="r")
    assert (reverted.status_code, len(calls)) == (200, 4)
    assert acme_api.post(f"{path}/close", idempotency_key="c").content == closed.content
    assert UsageCorrection.objects.count() == 2
