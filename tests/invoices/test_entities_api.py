"""Legal entities, terms of customers and texts of drafts by API: the verbs that the back office calls."""

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from apps.audit.models import AuditEntry
from apps.core.errors import Refused
from apps.invoices.models import CustomerTerms, Invoice, LegalEntity
from apps.invoices.services import entities
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_invoice, next_number
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_customer, make_plan, make_subscription
from tests.invoices.ledger import FEBRUARY

GMBH = {"name": "Acme GmbH", "number_prefix": "ACDE", "country": "DE", "payment_due_days": 7}


@pytest.fixture
def draft(in_acme: Tenant) -> Invoice:
    make_subscription(make_customer(), make_plan("base", [flat("31")]))
    close_due_periods(FEBRUARY)
    return Invoice.objects.get()


def default() -> LegalEntity:
    return LegalEntity.objects.get(is_default=True)


def test_the_prefix_stays_once_a_number_was_taken(draft: Invoice, acme_api: Api) -> None:
    path = f"/legal_entities/{default().public_id}"
    assert acme_api.patch(path, {"number_prefix": "NEW"}).json()["number_prefix"] == "NEW"
    assert finalize_invoice(invoice=draft, now=FEBRUARY).number == "NEW-2026-000001"
    with nothing_changes_in("acme"):
        refused = acme_api.patch(path, {"number_prefix": "OTHER", "name": "Other"})
    assert (refused.status_code, refused.json()["code"], refused.json()["param"]) == (
        409, "prefix_fixed", "/number_prefix",
    )  # fmt: skip
    same = acme_api.patch(path, {"number_prefix": "NEW", "name": "Acme Inc", "payment_due_days": 30})
    assert (same.status_code, same.json()["name"], same.json()["payment_due_days"]) == (200, "Acme Inc", 30)
    assert AuditEntry.objects.filter(action="legal_entity.changed").first().changes == {  # type: ignore[union-attr]
        "name": ["Acme", "Acme Inc"], "payment_due_days": ["14", "30"],
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="stays"), transaction.atomic():
        LegalEntity.objects.update(number_prefix="BEHIND")


def test_a_number_is_taken_with_the_prefix_as_it_is_by_then(in_acme: Tenant) -> None:
    """Whoever read the entity before somebody changed the prefix would begin a series with the former one."""
    read_before = default()
    entities.change_entity(entity=default(), number_prefix="NEW")
    assert [next_number(read_before, 2026), next_number(read_before, 2026)] == [
        "NEW-2026-000001", "NEW-2026-000002",
    ]  # fmt: skip
    with pytest.raises(Refused, match="stays"):
        entities.change_entity(entity=default(), number_prefix="ACME")


def test_is_created_once_for_a_key(in_acme: Tenant, acme_api: Api) -> None:
    made = acme_api.post("/legal_entities", GMBH, idempotency_key="k")
    again = acme_api.post("/legal_entities", GMBH, idempotency_key="k")
    assert (made.status_code, made.json()) == (201, again.json())
    assert made.json() | GMBH == made.json()
    assert made.json()["is_default"] is False
    assert acme_api.get(f"/legal_entities/{made.json()['id']}").json() == made.json()
    assert [one["number_prefix"] for one in acme_api.get("/legal_entities").json()["data"]] == [
        "ACDE", "ACME",
    ]  # fmt: skip
    assert acme_api.get("/legal_entities?is_default=false").json()["data"] == [made.json()]
    with nothing_changes_in("acme"):
        twin = acme_api.post("/legal_entities", GMBH)
        taken = acme_api.patch(f"/legal_entities/{made.json()['id']}", {"number_prefix": "ACME"})
    for refused in (twin, taken):
        assert (refused.status_code, refused.json()["code"], refused.json()["param"]) == (
            409, "prefix_taken", "/number_prefix",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"number_prefix": "acde"}, "/number_prefix"),
        ({"number_prefix": "A" * 13}, "/number_prefix"),
        ({"country": "Germany"}, "/country"),
        ({"payment_due_days": 366}, "/payment_due_days"),
        ({"time_zone": "Berlin"}, "/time_zone"),
        ({"payment_due_days": -1}, "/payment_due_days"),
        ({"memo": "x" * 1001}, "/memo"),
        ({"name": ""}, "/name"),
        ({"is_default": True}, "/is_default"),
    ],
)
def test_what_is_wrong_is_named(in_acme: Tenant, acme_api: Api, wrong: dict[str, object], param: str) -> None:
    with nothing_changes_in("acme"):
        for answer in (
            acme_api.post("/legal_entities", GMBH | wrong),
            acme_api.patch(f"/legal_entities/{default().public_id}", wrong),
        ):
            assert (answer.status_code, answer.json()["param"]) == (400, param)
            assert answer["Content-Type"] == "application/problem+json"


def test_another_one_becomes_the_default(draft: Invoice, acme_api: Api) -> None:
    made = acme_api.post("/legal_entities", GMBH).json()
    for _ in range(2):
        done = acme_api.post(f"/legal_entities/{made['id']}/make_default", idempotency_key="k")
        assert (done.status_code, done.json()["is_default"]) == (200, True)
    assert AuditEntry.objects.filter(action="legal_entity.made_default").count() == 1
    assert acme_api.post("/legal_entities/ent_x/make_default").json()["code"] == "legal_entity_not_found"
    assert finalize_invoice(invoice=draft, now=FEBRUARY).number == "ACDE-2026-000001"


def test_terms_are_read_and_changed_one_by_one(draft: Invoice, acme_api: Api) -> None:
    path = "/customers/chat/invoice_terms"
    empty = {
        "customer": draft.customer.public_id, "legal_entity": None, "payment_due_days": None,
        "purchase_order_number": "", "memo": "",
    }  # fmt: skip
    with nothing_changes_in("acme"):
        assert acme_api.get(path).json() == empty
    entity = acme_api.post("/legal_entities", GMBH).json()["id"]
    acme_api.patch(path, {"legal_entity": entity, "payment_due_days": 0})
    told = acme_api.patch(path, {"purchase_order_number": "PO-1", "memo": "Dept. 7"})
    assert told.json() == empty | {
        "legal_entity": entity, "payment_due_days": 0, "purchase_order_number": "PO-1", "memo": "Dept. 7",
    }  # fmt: skip
    assert acme_api.get(f"/customers/{draft.customer.public_id}/invoice_terms").json() == told.json()
    invoice = finalize_invoice(invoice=draft, now=FEBRUARY)
    assert (invoice.number, invoice.due_on, invoice.purchase_order_number, invoice.memo) == (
        "ACDE-2026-000001", date(2026, 2, 1), "PO-1", "Dept. 7",
    )  # fmt: skip
    back = acme_api.patch(path, {"legal_entity": None, "payment_due_days": None, "memo": ""})
    assert back.json() == empty | {"purchase_order_number": "PO-1"}


@pytest.mark.parametrize(
    ("wrong", "status", "param"),
    [
        ({"payment_due_days": 366}, 400, "/payment_due_days"),
        ({"purchase_order_number": "x" * 81}, 400, "/purchase_order_number"),
        ({"legal_entity": "ent_nobody"}, 404, "/legal_entity"),
        ({"legal_entity": ""}, 400, "/legal_entity"),
        ({"due_days": 3}, 400, "/due_days"),
    ],
)
def test_wrong_terms_are_refused(
    draft: Invoice, acme_api: Api, wrong: dict[str, object], status: int, param: str
) -> None:
    with nothing_changes_in("acme"):
        answer = acme_api.patch("/customers/chat/invoice_terms", wrong)
    assert (answer.status_code, answer.json()["param"]) == (status, param)
    assert not CustomerTerms.objects.exists()


def test_memo_and_purchase_order_number_of_a_draft(draft: Invoice, acme_api: Api) -> None:
    path = f"/invoices/{draft.public_id}"
    assert acme_api.patch(path, {"memo": "Thanks"}).json()["memo"] == "Thanks"
    told = acme_api.patch(path, {"purchase_order_number": "PO-2"}).json()
    assert (told["memo"], told["purchase_order_number"], told["status"]) == ("Thanks", "PO-2", "draft")
    with nothing_changes_in("acme"):
        acme_api.patch(path, {})
        assert acme_api.patch(path, {"total": "1"}).json()["param"] == "/total"
        assert acme_api.patch(path, {"memo": "x" * 1001}).json()["param"] == "/memo"
    acme_api.patch(path, {"memo": ""})
    issued = finalize_invoice(invoice=draft, now=FEBRUARY)
    assert (issued.memo, issued.purchase_order_number) == ("", "PO-2")
    with nothing_changes_in("acme"):
        refused = acme_api.patch(path, {"memo": "Late"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_a_draft")
