"""What is a fact stays one, also for the most powerful user and a crafted request."""

import pytest

from apps.access.models import StaffUser
from apps.audit.models import AuditEntry
from apps.catalog.models import Meter, Price
from apps.invoices.models import Invoice
from apps.usage.models import UsageEvent
from tests.admin.business import Business
from tests.admin.test_pages import RECORDS, first_of, page
from tests.harness.clients import Staff
from tests.harness.evidence import contents_of

FACTS = [
    "audit.auditentry",
    "invoices.invoice",
    "subscriptions.subscription",
    "usage.quarantinedevent",
    "usage.usagecorrection",
    "usage.usageevent",
]


@pytest.fixture
def superuser(olga: Staff) -> Staff:
    """Olga with every right there is."""
    StaffUser.objects.filter(pk=olga.user.pk).update(is_superuser=True)
    return olga


def test_facts_are_not_edited(superuser: Staff, business: Business) -> None:
    superuser.get("/admin/")
    before = contents_of("acme")
    form = {"status": "open", "total": "0.01", "event_id": "forged", "reason": "forged", "customer": "1"}
    for model in FACTS:
        assert superuser.post(page(model, "change", first_of(model)), form).status_code == 403, model
    assert contents_of("acme") == before


def test_facts_are_not_added(superuser: Staff, business: Business) -> None:
    for model in set(FACTS) - {"subscriptions.subscription"}:
        assert superuser.get(page(model, "add")).status_code == 403, model
        assert superuser.post(page(model, "add"), {}).status_code == 403, model


def test_nothing_is_deleted(superuser: Staff, business: Business) -> None:
    superuser.get("/admin/")
    before = contents_of("acme")
    for model in RECORDS:
        record = first_of(model)
        assert superuser.post(page(model, "delete", record), {"post": "yes"}).status_code == 403, model
        marked = {"action": "delete_selected", "_selected_action": [str(record)], "post": "yes"}
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
