"""Legal entities in the back office: created and changed by the services that the API calls."""

from apps.audit.models import AuditEntry
from apps.invoices.models import LegalEntity
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.evidence import nothing_changes_in

FORM = {
    "name": "Acme GmbH", "address": "", "country": "DE", "tax_ids": "", "number_prefix": "ACDE",
    "payment_due_days": "7", "time_zone": "Europe/Berlin", "memo": "",
}  # fmt: skip


def test_is_created_with_one_entry(olga: Staff, business: Business) -> None:
    assert olga.post(page("invoices.legalentity", "add"), FORM).status_code == 302
    made = LegalEntity.objects.get(number_prefix="ACDE")
    assert (made.name, made.is_default, made.public_id[:4]) == ("Acme GmbH", False, "ent_")
    assert AuditEntry.objects.get(action="legal_entity.created").target_id == made.public_id


def test_a_prefix_of_another_is_refused_at_its_field(olga: Staff, business: Business) -> None:
    path = page("invoices.legalentity", "add")
    olga.get(path)  # signs in
    with nothing_changes_in("acme"):
        response = olga.post(path, FORM | {"number_prefix": "ACME"})
    assert response.status_code == 200
    assert "number_prefix" in response.context["adminform"].form.errors


def test_the_prefix_can_t_be_typed_once_a_number_was_taken(olga: Staff, business: Business) -> None:
    numbered = LegalEntity.objects.get()
    path = page("invoices.legalentity", "change", numbered.pk)
    assert 'name="number_prefix"' not in olga.get(path).content.decode()
    assert olga.post(path, FORM | {"name": "Acme Inc"}).status_code == 302
    numbered.refresh_from_db()
    assert (numbered.name, numbered.number_prefix, numbered.payment_due_days) == ("Acme Inc", "ACME", 7)
    changes = AuditEntry.objects.get(action="legal_entity.changed").changes
    assert changes["name"] == ["Acme", "Acme Inc"]
    fresh = LegalEntity.objects.create(name="New", number_prefix="NEW")
    path = page("invoices.legalentity", "change", fresh.pk)
    assert 'name="number_prefix"' in olga.get(path).content.decode()
    assert olga.post(path, FORM).status_code == 302
