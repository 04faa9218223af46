"""Subscriptions by API: begun with all that `subscribe` knows, changed by verbs, previewed by the code that does it."""

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.scenarios.life import Life

VERBS: dict[str, dict[str, Any]] = {
    "change": {"when": "now", "plan": "big", "reason": "Upgrade"},
    "pause": {"when": "now", "resume_at": "2026-02-22T00:00:00Z", "reason": "Holidays"},
    "cancel": {"when": "period_end", "unused": "nothing", "reason": "Gone"},
    "change_time_zone": {"time_zone": "Europe/Berlin", "reason": "Moved"},
}


@pytest.fixture
def life(in_sandbox: Tenant, sandbox_api: Api) -> Life:
    """The 15th of February 2026. Plans payg and big cost 28.00 and 56.00 a month, due at its end, and tokens."""
    life = Life(sandbox_api)
    life.sell_tokens("28.00")
    big = {"code": "base", "name": "Base fee", "model": "flat", "flat_amount": "56.00", "is_per_seat": True}
    life.do("/plans", {"code": "big", "name": "Big", "currency": "USD", "prices": [big]})
    life.do("/plans/big/versions/1/publish", status=200)
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
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, problem["code"], problem.get("param", "")


def test_begins_with_all_that_can_be_said(life: Life) -> None:
    life.do("/customers", {"external_id": "team", "name": "Team", "time_zone": "America/New_York"})
    made = life.do(
        "/subscriptions",
        {
            "customer": "team",
            "plan": "big",
            "started_at": "2026-01-31T05:00:00Z",
            "billing_anchor": "day_of_month",
            "billing_day": 31,
            "quantity": 3,
            "trial_days": 28,
            "trial_covers": "everything",
            "trial_end": "cancel",
            "reason": "Signed",
        },
    )
    told = {
        name: made[name] for name in ("billing_day", "quantity", "treatment", "ends_at", "unused", "status")
    }
    # 28 local days after the 31st of January: the 28th of February, midnight in New York.
    assert told == {
        "billing_day": 31,
        "quantity": 3,
        "treatment": "trial_all",
        "ends_at": "2026-02-28T05:00:00Z",
        "unused": "nothing",
        "status": "active",
    }
    assert made["open_period"] == {"start": "2026-01-31T05:00:00Z", "end": "2026-02-28T05:00:00Z"}
    assert [(one["treatment"], one["state"], one["ends_at"]) for one in made["phases"]] == [
        ("trial_all", "current", "2026-02-28T05:00:00Z"),
        ("billed", "scheduled", None),
    ]
    assert AuditEntry.objects.get(action="subscription.created", target_id=made["id"]).reason == "Signed"


def test_a_change_now_says_what_it_costs_before(life: Life, path: str) -> None:
    with nothing_changes_in("sandbox"):
        seen = life.do(f"{path}/change/preview", VERBS["change"], 200)
    # 28.00 for all of February; with the change 14 of 28 days of 28.00 and 14 of 28 days of 56.00.
    assert (seen["difference"], seen["currency"]) == ("14.00", "USD")
    assert [one["total"] for one in seen["before"]] == ["28.00"]
    assert [one["total"] for one in seen["after"]] == ["42.00"]
    assert sorted(one["amount"] for one in seen["after"][0]["lines"] if one["kind"] == "flat") == [
        "14.00",
        "28.00",
    ]
    changed = life.do(f"{path}/change", VERBS["change"], 200)
    assert (changed["plan"], [one["plan"] for one in changed["phases"]]) == ("big", ["payg", "big"])
    life.advance("2026-03-01T00:00:00Z")
    assert [total for _, _, _, total in life.bills("chat")] == ["42.00"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_preview_leaves_nothing_and_a_verb_an_entry(life: Life, path: str, verb: str) -> None:
    with nothing_changes_in("sandbox"):
        life.do(f"{path}/{verb}/preview", VERBS[verb], 200)
    life.do(f"{path}/{verb}", VERBS[verb], 200)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.reason, entry.actor_kind) == (VERBS[verb]["reason"], "api_key")


def test_a_change_at_the_end_of_the_period_can_be_dropped(life: Life, path: str) -> None:
    body = {"when": "period_end", "plan": "big", "quantity": 2, "reason": "Next month"}
    scheduled = life.do(f"{path}/change", body, 200)
    assert [(one["plan"], one["quantity"], one["state"]) for one in scheduled["phases"]] == [
        ("payg", 1, "current"),
        ("big", 2, "scheduled"),
    ]
    assert scheduled["plan"] == "payg"
    dropped = life.do(f"{path}/drop_scheduled_change", {"reason": "No"}, 200)
    assert [one["plan"] for one in dropped["phases"]] == ["payg"]
    assert refused(life, f"{path}/drop_scheduled_change", {"reason": "No"})[:2] == (409, "nothing_scheduled")


def test_pauses_and_resumes(life: Life, path: str) -> None:
    assert life.do(f"{path}/pause", {"when": "now", "reason": "x"}, 200)["treatment"] == "paused"
    life.advance("2026-02-22T00:00:00Z")
    assert life.do(f"{path}/resume", {"when": "now", "reason": "x"}, 200)["treatment"] == "billed"
    life.advance("2026-03-01T00:00:00Z")
    # 21 of 28 days of 28.00.
    assert [total for _, _, _, total in life.bills("chat")] == ["21.00"]


def test_cancels_and_reactivates(life: Life, path: str) -> None:
    ending = life.do(f"{path}/cancel", VERBS["cancel"], 200)
    told = ending["ends_at"], ending["unused"], ending["status"], ending["cancellation_reason"]
    assert told == ("2026-03-01T00:00:00Z", "nothing", "active", "Gone")
    back = life.do(f"{path}/reactivate", {"reason": "Stays"}, 200)
    assert (back["ends_at"], back["unused"]) == (None, "")
    life.do(f"{path}/cancel", {"when": "now", "unused": "nothing", "reason": "Gone"}, 200)
    life.advance("2026-02-16T00:00:00Z")
    ended = life.see(path)
    assert (ended["status"], ended["open_period"]) == ("ended", None)


@pytest.mark.parametrize(
    ("verb", "body", "problem"),
    [
        ("change", {"quantity": 2, "reason": "x"}, (400, "invalid", "/when")),
        ("change", {"when": "soon", "quantity": 2, "reason": "x"}, (400, "invalid", "/when")),
        ("change", {"when": "now", "quantity": 2}, (400, "invalid", "/reason")),
        ("change", {"when": "now", "reason": "x"}, (400, "nothing_to_change", "/plan")),
        ("change", {"when": "now", "plan": "none", "reason": "x"}, (404, "plan_version_not_found", "/plan")),
        (
            "change",
            {"when": "now", "region": "EU", "quantity": 2, "reason": "x"},
            (400, "field_not_allowed", "/region"),
        ),
        ("change", {"when": "now", "quantity": 0, "reason": "x"}, (400, "invalid", "/quantity")),
        ("change", {"when": "date", "quantity": 2, "reason": "x"}, (400, "missing_field", "/at")),
        (
            "change",
            {"when": "now", "at": "2026-02-20T00:00:00Z", "quantity": 2, "reason": "x"},
            (400, "field_not_allowed", "/at"),
        ),
        (
            "change",
            {"when": "date", "at": "2026-01-20T00:00:00Z", "quantity": 2, "reason": "x"},
            (409, "already_billed", "/at"),
        ),
        ("change", {"when": "now", "seats": 2, "reason": "x"}, (400, "invalid", "/seats")),
        ("cancel", {"when": "now", "reason": "x"}, (400, "invalid", "/unused")),
        ("resume", {"when": "now", "reason": "x"}, (409, "not_paused", "/at")),
        ("reactivate", {"reason": "x"}, (409, "not_canceled", "")),
        ("change_time_zone", {"time_zone": "Mars", "reason": "x"}, (400, "invalid_time_zone", "/time_zone")),
        (
            "pause",
            {"when": "now", "resume_at": "2026-02-15T00:00:00Z", "reason": "x"},
            (400, "invalid_resume_at", "/resume_at"),
        ),
    ],
)
def test_a_problem_names_the_field(
    life: Life, path: str, verb: str, body: dict[str, Any], problem: tuple[int, str, str]
) -> None:
    assert refused(life, f"{path}/{verb}", body) == problem
    assert refused(life, f"{path}/{verb}/preview", body) == problem


def test_a_key_makes_a_change_once(life: Life, path: str) -> None:
    first = life.api.post(f"{path}/change", VERBS["change"], Idempotency_Key="upgrade-1")
    again = life.api.post(f"{path}/change", VERBS["change"], Idempotency_Key="upgrade-1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert AuditEntry.objects.filter(action="subscription.changed").count() == 1


def test_nobody_else_s_is_found(life: Life, path: str, acme_api: Api) -> None:
    for verb, body in VERBS.items():
        assert acme_api.post(f"{path}/{verb}", body).status_code == 404
        assert acme_api.post(f"{path}/{verb}/preview", body).status_code == 404


def test_a_threshold_is_set_reached_and_told(life: Life, path: str) -> None:
    """28.00 a month at its end, and tokens at 2.50 a million; 5.00 of them unbilled make an invoice."""
    verb = f"{path}/set_billing_threshold"
    for body, problem in (
        ({"reason": "x"}, (400, "invalid", "/amount")),
        ({"amount": "5"}, (400, "invalid", "/reason")),
        ({"amount": "0", "reason": "x"}, (400, "invalid_threshold", "/amount")),
        ({"amount": "0.001", "reason": "x"}, (400, "invalid_threshold", "/amount")),
        ({"amount": None, "reason": "x"}, (409, "no_change", "/amount")),
    ):
        assert refused(life, verb, body) == problem
    body = {"amount": "5", "reason": "New"}
    first, again = (life.api.post(verb, body, Idempotency_Key="five") for _ in range(2))
    assert first.json() == again.json()
    assert first.json()["billing_threshold"] == "5.00"
    life.use("chat", "2026-02-10T00:00:00Z", 1_600_000)
    [told] = life.see("/customers/chat/usage/summary")["subscriptions"]
    assert (told["billing_threshold"], told["unbilled_amount"], told["amount_due"]) == (
        "5.00",
        "4.00",
        "32.00",
    )
    assert "bill_thresholds" not in life.advance("2026-02-15T00:00:00Z")
    life.use("chat", "2026-02-11T00:00:00Z", 400_000)
    # The clock stands while usage comes in, and the next time it is moved the invoice is of the instant it stood at.
    assert life.advance("2026-02-20T00:00:00Z")["bill_thresholds"] == 1
    [made] = life.invoices("chat")
    assert (made["kind"], made["status"], made["total"]) == ("threshold", "open", "5.00")
    assert (made["period_start"], made["period_end"]) == ("2026-02-01T00:00:00Z", "2026-02-15T00:00:00Z")
    assert life.see("/invoices?kind=threshold")["data"][0]["id"] == made["id"]
    assert life.see("/invoices?kind=cycle")["data"] == []
    [told] = life.see("/customers/chat/usage/summary")["subscriptions"]
    assert (told["unbilled_amount"], told["amount_due"]) == ("0.00", "28.00")
    refusal = life.api.post(f"/invoices/{made['id']}/reissue", {"reason": "x"})
    assert (refusal.status_code, refusal.json()["code"]) == (409, "threshold_not_reissued")
    life.advance("2026-03-03T00:00:00Z")
    cycle = life.invoices("chat")[-1]
    assert (cycle["kind"], cycle["total"]) == ("cycle", "28.00")
    [ahead] = [one for one in cycle["lines"] if one["kind"] == "billed_ahead"]
    assert (ahead["amount"], ahead["steps"][0]["description"]) == ("-5.00", f"billed on {made['number']}")


def test_a_threshold_is_given_at_the_start(life: Life) -> None:
    life.do("/customers", {"external_id": "team", "name": "Team"})
    body = {"customer": "team", "plan": "payg", "billing_threshold": "500"}
    wrong = life.api.post("/subscriptions", body | {"billing_threshold": "-1"})
    assert (wrong.status_code, wrong.json()["param"]) == (400, "/billing_threshold")
    assert life.do("/subscriptions", body)["billing_threshold"] == "500.00"
