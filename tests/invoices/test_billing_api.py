"""What closing does and what it leaves, by API: runs, parked subscriptions and drafts, late usage, and the lists."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.models import AuditEntry
from apps.invoices.models import BillingRun, BillingSettings, Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import (
    an_event,
    flat,
    make_customer,
    make_plan,
    make_subscription,
    report,
)
from tests.invoices.ledger import FEBRUARY, JANUARY, MARCH, fee
from tests.invoices.refusing import MESSAGE, refusing

WHY = {"reason": "Mended"}


@pytest.fixture
def parked(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Subscription:
    """Two months of it can't be billed; those of another one are."""
    version = make_plan("base", [flat("31")])
    broken = make_subscription(make_customer("broken"), version)
    make_subscription(make_customer("fine"), version)
    with refusing(broken, monkeypatch):
        close_due_periods(MARCH)
    return broken


def test_a_run_says_how_far_it_is(parked: Subscription, acme_api: Api) -> None:
    [run] = acme_api.get("/billing_runs").json()["data"]
    wanted = {
        "kind": "closing", "state": "finished", "due_until_at": "2026-03-01T00:00:00Z", "started_by": "",
        "subscription": None, "due_count": 2, "billed_count": 2, "parked_count": 1,
        "amounts": [{"currency": "USD", "amount": "62.00", "invoice_count": 2}],
    }  # fmt: skip
    assert run | wanted == run
    assert acme_api.get(f"/billing_runs/{run['id']}").json() == run | {"still_due_count": 0}
    BillingRun.objects.update(finished_at=None)
    assert acme_api.get("/billing_runs?finished=true").json()["data"] == []
    [going] = acme_api.get("/billing_runs?finished=false&kind=closing").json()["data"]
    assert going["state"] == "running"
    BillingRun.objects.update(updated_at=JANUARY)
    assert acme_api.get(f"/billing_runs/{run['id']}").json()["state"] == "interrupted"
    acme_api.post(f"/subscriptions/{parked.public_id}/release", WHY)
    assert acme_api.get(f"/billing_runs/{run['id']}").json()["still_due_count"] == 1
    for nobody in (0, 10**30):
        assert acme_api.get(f"/billing_runs/{nobody}").json()["code"] == "not_found"


def test_a_parked_subscription_is_listed_and_released_once(parked: Subscription, acme_api: Api) -> None:
    [row] = acme_api.get("/parked_subscriptions?released=false").json()["data"]
    wanted = {
        "subscription": parked.public_id, "customer_external_id": "broken", "kind": "cycle",
        "period_start": "2026-01-01T00:00:00Z", "code": "invalid_fraction", "message": MESSAGE, "tries": 1,
        "released_at": None, "run": BillingRun.objects.get().pk,
    }  # fmt: skip
    assert row | wanted == row
    for query, count in (
        ("customer=broken", 1), (f"customer={parked.customer.public_id}", 1), ("customer=fine", 0),
        (f"subscription={parked.public_id}", 1), ("kind=opening", 0), (f"run={row['run']}", 1),
        ("code=too_large", 0), ("released=true", 0),
    ):  # fmt: skip
        assert len(acme_api.get(f"/parked_subscriptions?{query}").json()["data"]) == count, query
    path = f"/subscriptions/{parked.public_id}/release"
    with nothing_changes_in("acme"):
        assert acme_api.post(path, {}).json()["param"] == "/reason"
    for _ in range(2):
        done = acme_api.post(path, WHY, idempotency_key="once")
        assert (done.status_code, done.json()["id"], done.json()["release_reason"]) == (
            200, row["id"], "Mended",
        )  # fmt: skip
    assert AuditEntry.objects.get(action="subscription.released").reason == "Mended"
    with nothing_changes_in("acme"):
        assert acme_api.post(path, WHY).json()["code"] == "not_parked"
    assert close_due_periods(MARCH) == 2


def test_close_now_bills_all_that_is_over_once(parked: Subscription, acme_api: Api) -> None:
    path = f"/subscriptions/{parked.public_id}/close_now"
    with nothing_changes_in("acme"):
        refused = acme_api.post(path, WHY)
        assert (refused.status_code, refused.json()["code"]) == (409, "is_parked")
        assert acme_api.post(path, {}).json()["param"] == "/reason"
    acme_api.post(f"/subscriptions/{parked.public_id}/release", WHY)
    now_due = Subscription.objects.get(pk=parked.pk).next_boundary_at
    assert now_due == FEBRUARY
    first = acme_api.post(path, WHY, idempotency_key="once")
    again = acme_api.post(path, WHY, idempotency_key="once")
    assert (first.status_code, first.json()) == (200, again.json())
    assert first.json()["parked"] is None
    assert first.json()["invoice_count"] == Invoice.objects.filter(subscription=parked).count() >= 2
    run = BillingRun.objects.get(subscription=parked)
    assert acme_api.get(f"/billing_runs?subscription={parked.public_id}").json()["data"][0]["id"] == run.pk
    with nothing_changes_in("acme"):
        assert acme_api.post(path, WHY).json()["code"] == "not_due"


def test_close_now_says_what_parked_it(
    parked: Subscription, acme_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme_api.post(f"/subscriptions/{parked.public_id}/release", WHY)
    with refusing(parked, monkeypatch):
        told = acme_api.post(f"/subscriptions/{parked.public_id}/close_now", WHY, idempotency_key="k")
    assert (told.status_code, told.json()["invoice_count"]) == (200, 0)
    assert (told.json()["parked"]["message"], told.json()["parked"]["tries"]) == (MESSAGE, 2)


def test_parked_drafts_are_listed_with_the_reasons(in_acme: Tenant, acme_api: Api) -> None:
    make_subscription(make_customer(), make_plan("base", [flat("31"), flat("5", "extra")]))
    BillingSettings.objects.update(brake_on_lines_above=1)
    close_due_periods(FEBRUARY)
    assert finalize_due_invoices(datetime(2026, 2, 3, tzinfo=UTC)) == 0
    [draft] = acme_api.get("/invoices?parked=true").json()["data"]
    assert [(one["brake"], one["words"]) for one in draft["park_reasons"]] == [
        ("many_lines", "2 lines, more than 1.")
    ]
    path = f"/invoices/{draft['id']}/release"
    released = acme_api.post(path, {"reason": "Fine", "total": draft["total"]}).json()
    assert (released["parked_at"], released["park_reasons"][0]["release_reason"]) == (None, "Fine")
    assert acme_api.get("/invoices?parked=true").json()["data"] == []


@pytest.fixture
def late(in_acme: Tenant) -> Subscription:
    """It ended with January; a million tokens came after its last invoice."""
    subscription = make_subscription()
    cancel(subscription=subscription, when="date", at=FEBRUARY, unused="nothing", reason="Bye", now=JANUARY)
    close_due_periods(FEBRUARY)
    finalize_due_invoices(datetime(2026, 2, 3, tzinfo=UTC))
    report(an_event(properties={"input_tokens": 1_000_000, "output_tokens": 0}))
    return subscription


def test_late_usage_after_the_end(late: Subscription, acme_api: Api) -> None:
    [row] = acme_api.get("/late_usage").json()["data"]
    wanted = {
        "subscription": late.public_id, "customer_external_id": "chat", "plan": "payg", "currency": "USD",
        "ended_at": "2026-02-01T00:00:00Z", "amount": "2.50", "event_count": 1,
    }  # fmt: skip
    assert row | wanted == row
    assert [(line["meter"], line["kind"], line["amount"]) for line in row["lines"]] == [
        ("input_tokens", "adjustment", "2.50")
    ]


def test_late_usage_is_billed_once_and_for_what_was_seen(late: Subscription, acme_api: Api) -> None:
    path = f"/subscriptions/{late.public_id}/bill_late_usage"
    with nothing_changes_in("acme"):
        assert acme_api.post(path, {"reason": "Late"}).json()["param"] == "/total"
        changed = acme_api.post(path, {"reason": "Late", "total": "2.00"})
        assert (changed.status_code, changed.json()["code"]) == (409, "total_changed")
    for _ in range(2):
        made = acme_api.post(path, {"reason": "Late", "total": "2.50"}, idempotency_key="once")
        assert (made.status_code, made.json()["status"], made.json()["total"]) == (201, "draft", "2.50")
    assert AuditEntry.objects.get(action="invoice.late_usage_billed").reason == "Late"
    assert acme_api.get("/late_usage").json()["data"] == []
    again = acme_api.post(path, {"reason": "Late", "total": "2.50"})
    assert (again.status_code, again.json()["code"]) == (409, "draft_waits")


def queries(api: Api, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert api.get(path).status_code == 200
    return len(captured)


def test_lists_ask_the_same_number_of_questions(in_acme: Tenant, acme_api: Api) -> None:
    paths = ("/invoices", "/billing_runs", "/parked_subscriptions", "/legal_entities")
    version = make_plan("base", [flat("31"), flat("5", "extra")])
    make_subscription(make_customer(), version)
    close_due_periods(FEBRUARY)
    acme_api.get("/customers")  # notes the key's use
    few = {path: queries(acme_api, path) for path in paths}
    for index in range(12):
        make_subscription(make_customer(f"more-{index}"), version)
        close_due_periods(FEBRUARY)
    assert {path: queries(acme_api, path) for path in paths} == few


def test_invoices_are_listed_by_what_they_are(in_acme: Tenant, acme_api: Api) -> None:
    version = make_plan("base", [fee("31", "arrears"), fee("5", "advance")])
    a = make_subscription(make_customer("a"), version)
    make_subscription(make_customer("b"), version, started_at=FEBRUARY)
    close_due_periods(FEBRUARY)
    finalize_due_invoices(datetime(2026, 2, 3, tzinfo=UTC))
    close_due_periods(MARCH)
    of_a = f"subscription={a.public_id}"
    january = "period_from=2026-01-01T00:00:00Z&period_until=2026-02-01T00:00:00Z"
    number = Invoice.objects.filter(status="open").order_by("id")[0].number
    counts = {
        "": 5, "customer=b": 2, f"customer={a.customer.public_id}": 3, of_a: 3, "subscription=sub_nobody": 0,
        "status=open": 2, "status=draft": 3, f"{of_a}&status=open&kind=cycle": 1, "kind=opening": 2,
        "payment_status=paid": 0, f"number={number}": 1, january: 2, f"{january}&kind=cycle": 1,
        "period_from=2026-02-01T00:00:00Z": 3, "period_from=2026-03-01T00:00:00Z": 0,
    }  # fmt: skip
    found = {query: len(acme_api.get(f"/invoices?{query}").json()["data"]) for query in counts}
    assert found == counts
    with nothing_changes_in("acme"):
        wrong = acme_api.get("/invoices?period_from=yesterday")
    assert (wrong.status_code, wrong.json()["param"]) == (400, "/period_from")


def test_lines_come_in_pages_with_their_steps(in_acme: Tenant, acme_api: Api) -> None:
    make_subscription(make_customer(), make_plan("base", [flat(str(n), f"fee-{n}") for n in range(1, 8)]))
    close_due_periods(FEBRUARY)
    path = f"/invoices/{Invoice.objects.get().public_id}/lines"
    seen, cursor = [], ""
    while cursor is not None:
        page = acme_api.get(path, {"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += page["data"]
        cursor = page["next_cursor"]
    assert seen == acme_api.get(path.removesuffix("/lines")).json()["lines"]
    assert [one["amount"] for one in seen] == [f"{n}.00" for n in range(1, 8)]
    assert all(one["steps"] for one in seen)
    assert [one["price"] for one in acme_api.get(f"{path}?price=fee-3&kind=flat").json()["data"]] == ["fee-3"]
    assert acme_api.get(f"{path}?kind=usage").json()["data"] == []
    assert acme_api.get("/invoices/inv_nobody/lines").json()["code"] == "invoice_not_found"
