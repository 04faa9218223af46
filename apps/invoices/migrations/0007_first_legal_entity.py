"""The seller of the billing settings becomes the first legal entity, and all numbers so far are its own."""

from typing import Any

from django.db import migrations

from apps.core.models import random_id

# Finalized invoices are frozen; that they were issued by the only entity there was is no change of theirs.
MOVE = """
ALTER TABLE invoices_invoice DISABLE TRIGGER invoices_invoice_is_frozen;
UPDATE invoices_invoice SET legal_entity_id = %(entity)s WHERE status <> 'draft';
UPDATE invoices_invoice SET payment_status = 'paid' WHERE status = 'paid';
UPDATE invoices_invoice SET status_changed_at = finalized_at WHERE status IN ('paid', 'void', 'uncollectible');
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE invoices_invoice ENABLE TRIGGER invoices_invoice_is_frozen;
UPDATE invoices_invoiceseries SET legal_entity_id = %(entity)s;
"""


def forwards(apps: Any, schema_editor: Any) -> None:
    settings = apps.get_model("invoices", "BillingSettings").objects.filter(pk=1).first()
    if settings is None:
        return
    entity = apps.get_model("invoices", "LegalEntity").objects.create(
        public_id=random_id("ent"),
        name=settings.legal_name,
        address=settings.address,
        tax_ids=settings.tax_id,
        number_prefix=settings.number_prefix,
        payment_due_days=min(settings.payment_due_days, 365),
        is_default=True,
    )
    with schema_editor.connection.cursor() as cursor:
        for statement in filter(str.strip, MOVE.split(";")):
            cursor.execute(statement, {"entity": entity.pk})


class Migration(migrations.Migration):
    dependencies = [("invoices", "0006_entities_states_brakes")]
    operations = [migrations.RunPython(forwards, migrations.RunPython.noop)]
