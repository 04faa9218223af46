"""What is a fact stays one, also for the most powerful user and a crafted request."""

import pytest

from apps.access.models import StaffUser
from apps.audit.models import AuditEntry
from apps.catalog.models import Meter, Price
from apps.core.admin_sites import tenant_site
from apps.invoices.models import Invoice
from apps.usage.models import UsageEvent
from tests.admin.business import Business
from tests.admin.test_pages import RECORDS, page
from tests.harness.clients import Staff
from tests.harness.evidence import contents_of

FACTS = [
    "audit.auditentry",
    "invoices.invoice",
    "subscriptions.subscription",
    "usage.quarantinedevent",
    "usage.usageevent",
]


@pytest.fixture
def superuser(olga: Staff) -> Staff:
    """Olga with every right there is."""
    StaffUser.objects.filter(pk=olga.user.pk).update(is_superuser=True)
    return olga


def first(model: str) -> object:
    (known,) = [one for one in tenant_site._registry if one._meta.label_lower == model]
    record = known._default_manager.first()
    assert record is not None
    return record.pk


@pytest.mark.parametrize("model", FACTS)
def test_facts_are_not_edited(superuser: Staff, business: Business, model: str) -> None:
    superuser.get("/admin/")
    before = contents_of("acme")
    form = {"status": "open", "total": "0.01", "event_id": "forged", "reason": "forged", "customer": "1"}
    assert superuser.post(page(model, "change", first(model)), form).status_code == 403
    assert contents_of("acme") == before


@pytest.mark.parametrize("model", [one for one in FACTS if one != "subscriptions.subscription"])
def test_facts_are_not_added(superuser: Staff, business: Business, model: str) -> None:
    assert superuser.get(page(model, "add")).status_code == 403
    assert superuser.post(page(model, "add"), {}).status_code == 403


@pytest.mark.parametrize("model", RECORDS)
def test_nothing_is_deleted(superuser: Staff, business: Business, model: str) -> None:
    superuser.get("/admin/")
    before = contents_of("acme")
    assert superuser.post(page(model, "delete", first(model)), {"post": "yes"}).status_code == 403
    marked = {"action": "delete_selected", "_selected_action": [str(first(model))], "post": "yes"}
    superuser.post(page(model, "changelist"), marked)
    assert contents_of("acme") == before


def test_a_published_version_is_not_edited(superuser: Staff, business: Business) -> None:
    version = business.subscription.plan_version
    price = Price.objects.get(plan_version=version, code="base")
    form = {
        "currency": "EUR", "prices-TOTAL_FORMS": "1", "prices-INITIAL_FORMS": "1", "prices-0-id": price.pk,
        "prices-0-plan_version": version.pk, "prices-0-position": "0", "prices-0-code": "base", "prices-0-name": "x",
        "prices-0-model": "flat", "prices-0-flat_amount": "1",
    }  # fmt: skip
    assert superuser.post(page("catalog.planversion", "change", version.pk), form).status_code == 403
    assert Price.objects.get(pk=price.pk).flat_amount == price.flat_amount


def test_the_audit_log_has_no_entries_of_looking(olga: Staff, business: Business) -> None:
    olga.get("/admin/")
    count = AuditEntry.objects.count()
    for model in (Meter, Invoice, UsageEvent):
        olga.get(page(model._meta.label_lower, "changelist"))
    assert AuditEntry.objects.count() == count
