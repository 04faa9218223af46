"""Add-ons and one-off charges by API: previewed, done once for each key, listed, and on the invoice."""

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.invoices.models import OneOffCharge
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.scenarios.life import Life

WORKSHOP = {"description": "Workshop", "quantity": "2", "unit_amount": "125.00", "reason": "Ordered"}
SUPPORT = {
    "code": "support",
    "name": "Support",
    "model": "flat",
    "flat_amount": "28.00",
    "is_per_seat": True,
    "billing_timing": "advance",
}


@pytest.fixture
def life(in_sandbox: Tenant, sandbox_api: Api) -> Life:
    """The 15th of February 2026: 14 of 28 days are over. Support costs 28.00 a month, due at its start."""
    life = Life(sandbox_api)
    life.sell_tokens("10.00")
    life.do(
        "/plans",
        {"code": "care", "kind": "add_on", "name": "Care", "currency": "USD", "prices": [SUPPORT]},
    )
    life.do("/plans/care/versions/1/publish", status=200)
    life.sign_up("chat", "2026-02-01T00:00:00Z")
    life.advance("2026-02-15T00:00:00Z")
    return life


@pytest.fixture
def path(life: Life) -> str:
    (subscription,) = life.see("/subscriptions?customer=chat")["data"]
    return f"/subscriptions/{subscription['id']}"


def refused(life: Life, path: str, body: dict[str, Any]) -> tuple[int, str, str]:
    with nothing_changes_in("sandbox"):
        response = life.api.post(path, body)
    problem = response.json()
    return response.status_code, problem["code"], problem.get("param", "")


def totals(life: Life) -> list[tuple[str, str]]:
    return [(one["kind"], one["total"]) for one in life.see("/invoices?customer=chat")["data"]]


def test_an_add_on_s_life(life: Life, path: str) -> None:
    """Half of 28.00 now and 28.00 ahead; a second one from the boundary; detached when that is paid."""
    assert life.see("/plans/care")["kind"] == "add_on"
    assert life.see("/plans/payg")["kind"] == "plan"
    body = {"add_on": "care", "when": "now", "reason": "They asked"}
    with nothing_changes_in("sandbox"):
        seen = life.do(f"{path}/add_ons/preview", body, status=200)
    assert seen["difference"] == "42.00"
    made = life.do(f"{path}/add_ons", body, status=200)
    row = {
        "add_on": "care",
        "version": 1,
        "quantity": 1,
        "starts_at": "2026-02-15T00:00:00Z",
        "ends_at": None,
    }
    assert made["add_ons"] == [row | {"state": "current"}]
    assert life.see(f"{path}/add_ons")["data"] == made["add_ons"]
    more = {"quantity": 2, "when": "period_end", "reason": "A second one"}
    with nothing_changes_in("sandbox"):
        assert life.do(f"{path}/add_ons/care/change/preview", more, status=200)["difference"] == "28.00"
    made = life.do(f"{path}/add_ons/care/change", more, status=200)
    assert [(one["quantity"], one["state"]) for one in made["add_ons"]] == [(1, "current"), (2, "scheduled")]
    life.advance("2026-03-02T01:00:00Z")
    (invoice,) = life.see("/invoices?customer=chat")["data"]
    told = life.see(f"/invoices/{invoice['id']}")["lines"]
    assert [
        (one["plan"], one["price"], one["charge"], one["amount"]) for one in told if one["amount"] != "0.00"
    ] == [
        ("payg", "base", None, "10.00"),
        ("care", "support", None, "14.00"),
        ("care", "support", None, "56.00"),
    ]
    gone = {"when": "period_end", "reason": "No more"}
    with nothing_changes_in("sandbox"):
        assert life.do(f"{path}/add_ons/care/detach/preview", gone, status=200)["difference"] == "-56.00"
    made = life.do(f"{path}/add_ons/care/detach", gone, status=200)
    assert made["add_ons"][-1]["ends_at"] == "2026-04-01T00:00:00Z"
    actions = AuditEntry.objects.filter(action__startswith="subscription.add_on").order_by("id")
    assert list(actions.values_list("reason", flat=True)) == ["They asked", "A second one", "No more"]


def test_a_charge_on_the_next_invoice(life: Life, path: str) -> None:
    with nothing_changes_in("sandbox"):
        assert life.do(f"{path}/charges/preview", WORKSHOP, status=200)["difference"] == "250.00"
    made = life.do(f"{path}/charges", WORKSHOP)
    told = {name: made[name] for name in ("quantity", "unit_amount", "amount", "state", "invoice", "at_once")}
    assert told == {
        "quantity": "2", "unit_amount": "125", "amount": "250.00", "state": "pending", "invoice": None,
        "at_once": False,
    }  # fmt: skip
    life.advance("2026-03-02T01:00:00Z")
    (invoice,) = life.see("/invoices?customer=chat")["data"]
    (charged,) = life.see(f"{path}/charges")["data"]
    assert (charged["state"], charged["invoice"]) == ("invoiced", invoice["id"])
    line = life.see(f"/invoices/{invoice['id']}")["lines"][-1]
    assert {name: line[name] for name in ("kind", "charge", "plan", "plan_version", "price", "meter", "amount")} == {
        "kind": "charge", "charge": made["id"], "plan": None, "plan_version": None, "price": None, "meter": None,
        "amount": "250.00",
    }  # fmt: skip
    withdraw = f"{path}/charges/{made['id']}/withdraw"
    assert refused(life, withdraw, {"reason": "A slip"})[1] == "already_invoiced"


def test_it_is_seen_while_it_is_to_come(life: Life, path: str) -> None:
    life.do(f"{path}/charges", WORKSHOP | {"unit_amount": "-1.00", "description": "Goodwill"})
    line = life.see("/customers/chat/invoices/upcoming")["lines"][-1]
    assert (line["description"], line["amount"], line["plan"]) == ("Goodwill", "-2.00", None)
    assert life.see("/customers/chat/usage/summary")["amount_due"] == "8.00"


def test_a_charge_at_once(life: Life, path: str) -> None:
    body = WORKSHOP | {"at_once": True}
    with nothing_changes_in("sandbox"):
        assert life.do(f"{path}/charges/preview", body, status=200)["difference"] == "250.00"
    made = life.do(f"{path}/charges", body)
    assert (made["state"], made["at_once"]) == ("drafted", True)
    assert totals(life) == [("one_off", "250.00")]
    life.do(f"/invoices/{made['invoice']}/finalize", status=200)
    life.advance("2026-03-02T01:00:00Z")
    assert totals(life) == [("cycle", "10.00"), ("one_off", "250.00")]


def test_a_charge_is_made_once_for_a_key(life: Life, path: str) -> None:
    answers = [life.api.post(f"{path}/charges", WORKSHOP, idempotency_key="once") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert OneOffCharge.objects.count() == 1


def test_a_charge_is_withdrawn(life: Life, path: str) -> None:
    made = life.do(f"{path}/charges", WORKSHOP)
    withdraw = f"{path}/charges/{made['id']}/withdraw"
    with nothing_changes_in("sandbox"):
        assert life.do(f"{withdraw}/preview", {"reason": "A slip"}, status=200)["difference"] == "-250.00"
    assert life.do(withdraw, {"reason": "A slip"}, status=200)["state"] == "withdrawn"
    life.advance("2026-03-02T01:00:00Z")
    assert totals(life) == [("cycle", "10.00")]


@pytest.mark.parametrize(
    ("tail", "body", "expected"),
    [
        (
            "add_ons",
            {"add_on": "nothing", "when": "now", "reason": "x"},
            (404, "add_on_not_found", "/add_on"),
        ),
        ("add_ons", {"add_on": "payg", "when": "now", "reason": "x"}, (409, "not_an_add_on", "/add_on")),
        ("add_ons", {"add_on": "care", "reason": "x"}, (400, "invalid", "/when")),
        ("change", {"plan": "care", "when": "now", "reason": "x"}, (409, "is_add_on", "/plan")),
        ("add_ons/care/detach", {"when": "now", "reason": "x"}, (409, "not_attached", "/at")),
        ("charges", WORKSHOP | {"unit_amount": "0.001"}, (400, "invalid_amount", "/unit_amount")),
        (
            "charges",
            WORKSHOP | {"charged_at": "2026-01-31T00:00:00Z"},
            (409, "already_billed", "/charged_at"),
        ),
        (
            "charges",
            WORKSHOP | {"at_once": True, "charged_at": "2026-02-20T00:00:00Z"},
            (400, "field_not_allowed", "/charged_at"),
        ),
    ],
)
def test_what_is_refused_says_where(
    life: Life, path: str, tail: str, body: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    assert refused(life, f"{path}/{tail}", body) == expected
