"""The audit says who did what, in the transaction of what was done."""

import pytest

from apps.audit.models import AuditEntry
from apps.audit.services.record import record
from apps.core import request_context
from apps.tenants.models import Tenant
from tests.harness.clients import Api, Staff
from tests.harness.evidence import rolled_back
from tests.harness.factories import make_customer


def test_without_a_request_it_is_the_system(in_acme: Tenant) -> None:
    customer = make_customer()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_kind, entry.actor, entry.request_id) == (
        "customer.created",
        "system",
        "",
        "",
    )
    assert (entry.target_type, entry.target_id, entry.target_label) == (
        "customers.customer",
        customer.public_id,
        "Chat",
    )


def test_a_request_names_its_key_and_its_id(in_acme: Tenant, acme_api: Api) -> None:
    response = acme_api.post("/customers", {"external_id": "x", "name": "X"}, x_request_id="trace-12345678")
    assert response.status_code == 201
    entry = AuditEntry.objects.get()
    assert (entry.actor_kind, entry.actor, entry.request_id) == (
        "api_key",
        "ch_live_acme_aaaa",
        "trace-12345678",
    )


def test_the_actor_of_a_request_is_forgotten_after_it(in_acme: Tenant, acme_api: Api) -> None:
    acme_api.get("/customers")
    assert request_context.current() == request_context.RequestContext()


def test_staff_are_named_by_their_email(in_acme: Tenant, olga: Staff) -> None:
    customer = make_customer()
    with request_context.entered(actor_kind="staff", actor=olga.email):
        entry = record(action="customer.looked_at", target=customer, reason="Asked by phone")
    assert (entry.actor_kind, entry.actor, entry.reason) == ("staff", "olga@acme.example", "Asked by phone")


def test_an_entry_goes_back_with_its_transaction(in_acme: Tenant) -> None:
    with rolled_back():
        make_customer()
    assert not AuditEntry.objects.exists()


def test_a_long_name_is_cut_and_nothing_lost_of_the_rest(in_acme: Tenant) -> None:
    make_customer(name="x" * 200)
    assert AuditEntry.objects.get().target_label == "x" * 200


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_each_tenant_has_a_log_of_its_own(
    in_acme: Tenant, acme_api: Api, globex_api: Api, tenant: str
) -> None:
    api = {"acme": acme_api, "globex": globex_api}[tenant]
    api.post("/customers", {"external_id": "x", "name": "X"})
    assert AuditEntry.objects.count() == (tenant == "acme")
