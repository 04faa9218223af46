"""What of a line each team used, frozen with the line."""

import django.db.models.deletion
from django.db import migrations, models

import apps.core.fields

CREATE = """
CREATE FUNCTION refuse_change_of_finalized_share() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line_ids bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.line_id]
                                    WHEN 'DELETE' THEN ARRAY[OLD.line_id]
                                    ELSE ARRAY[OLD.line_id, NEW.line_id] END;
    invoice_ids bigint[] := ARRAY(SELECT invoice_id FROM invoices_invoiceline WHERE id = ANY(line_ids));
BEGIN
    -- Wait for whoever holds the invoice, then look at it anew.
    PERFORM 1 FROM invoices_invoice WHERE id = ANY(invoice_ids) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM invoices_invoice WHERE id = ANY(invoice_ids) AND status <> 'draft') THEN
        RAISE EXCEPTION 'what teams have of a finalized invoice can''t be changed; correct it with a credit note'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER invoices_teamshare_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON invoices_teamshare
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_finalized_share();
"""
DROP = """
DROP TRIGGER invoices_teamshare_is_frozen ON invoices_teamshare;
DROP FUNCTION refuse_change_of_finalized_share();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0003_team_billing"),
        ("invoices", "0012_prefix_stays"),
    ]

    operations = [
        migrations.CreateModel(
            name="TeamShare",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", apps.core.fields.QuantityField(decimal_places=18, max_digits=60)),
                ("event_count", models.BigIntegerField()),
                ("amount", apps.core.fields.AmountField(decimal_places=4, max_digits=28)),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="team_shares",
                        to="customers.customer",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="team_shares",
                        to="invoices.invoiceline",
                    ),
                ),
            ],
            options={
                "ordering": ["line_id", "id"],
                "constraints": [
                    models.UniqueConstraint(fields=("line", "customer"), name="team_share_customer_once")
                ],
            },
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
