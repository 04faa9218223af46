"""The verbs of an invoice by API: a reason, a problem document when refused, and once for a key."""

from datetime import timedelta

import pytest

from apps.audit.models import AuditEntry
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_plan, make_subscription
from tests.invoices.ledger import FEBRUARY


@pytest.fixture
def invoice(in_acme: Tenant) -> Invoice:
    make_subscription(plan_version=make_plan("base", [flat("31")]))
    close_due_periods(FEBRUARY)
    return finalize_invoice(invoice=Invoice.objects.get(), now=FEBRUARY + timedelta(days=1))


VERBS = {
    "void": ({}, "void"),
    "mark_paid": ({"reference": "TR-7"}, "paid"),
    "mark_uncollectible": ({}, "uncollectible"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_ends_it_once(invoice: Invoice, acme_api: Api, verb: str) -> None:
    more, status = VERBS[verb]
    path = f"/invoices/{invoice.number}/{verb}"
    with nothing_changes_in("acme"):
        missing = acme_api.post(path, more)
        assert (missing.status_code, missing.json()["errors"][0]["param"]) == (400, "/reason")
        odd = acme_api.post(path, more | {"reason": "x", "other": 1})
        assert (odd.status_code, odd["Content-Type"]) == (400, "application/problem+json")
    for _ in range(2):
        done = acme_api.post(path, more | {"reason": "Because"}, idempotency_key="once")
        assert (done.status_code, done.json()["status"], done.json()["status_reason"]) == (
            200,
            status,
            "Because",
        )
    again = acme_api.post(path, more | {"reason": "Because"})
    assert again.status_code == 409
    assert AuditEntry.objects.filter(reason="Because").count() == 1


def test_reissues_with_links_both_ways(invoice: Invoice, acme_api: Api) -> None:
    done = acme_api.post(f"/invoices/{invoice.number}/reissue", {"reason": "Wrong"}, idempotency_key="k")
    again = acme_api.post(f"/invoices/{invoice.number}/reissue", {"reason": "Wrong"}, idempotency_key="k")
    assert (done.status_code, done.json()) == (201, again.json())
    draft = done.json()
    assert (draft["status"], draft["total"], draft["reissue_of"]) == ("draft", "31.00", invoice.public_id)
    void = acme_api.get(f"/invoices/{invoice.number}").json()
    assert (void["status"], void["reissued_as"]) == ("void", draft["id"])
    refused = acme_api.post(f"/invoices/{invoice.number}/reissue", {"reason": "Wrong"})
    assert (refused.status_code, refused.json()["code"]) == (409, "reissued_already")


def test_reopens_and_refreshes(invoice: Invoice, acme_api: Api) -> None:
    path = f"/invoices/{invoice.number}"
    assert acme_api.post(f"{path}/reopen", {"reason": "x"}).json()["code"] == "not_uncollectible"
    acme_api.post(f"{path}/mark_uncollectible", {"reason": "x"})
    assert acme_api.post(f"{path}/reopen", {"reason": "x"}).json()["status"] == "open"
    assert acme_api.post(f"{path}/refresh").json()["code"] == "not_a_draft"
    draft = acme_api.post(f"{path}/reissue", {"reason": "x"}).json()
    assert acme_api.post(f"/invoices/{draft['id']}/refresh").json()["total"] == "31.00"
    assert [one["id"] for one in acme_api.get("/invoices?status=void").json()["data"]] == [invoice.public_id]
    entity = acme_api.get(path).json()["legal_entity"]
    assert len(acme_api.get(f"/invoices?legal_entity={entity}").json()["data"]) == 1
