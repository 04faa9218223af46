"""A line that is changed while its invoice is being finalized waits for the finalizer, and is then refused.

The former function locked only invoices it already saw as finalized, and so never waited: the change slipped in.
"""

from django.db import migrations

REPLACE = """
CREATE OR REPLACE FUNCTION refuse_change_of_finalized_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    invoice_ids bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.invoice_id]
                                       WHEN 'DELETE' THEN ARRAY[OLD.invoice_id]
                                       ELSE ARRAY[OLD.invoice_id, NEW.invoice_id] END;
BEGIN
    -- Wait for whoever holds the invoice, then look at it anew.
    PERFORM 1 FROM invoices_invoice WHERE id = ANY(invoice_ids) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM invoices_invoice WHERE id = ANY(invoice_ids) AND status <> 'draft') THEN
        RAISE EXCEPTION 'the lines of a finalized invoice can''t be changed; correct it with a credit note'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0002_frozen_when_finalized")]
    operations = [migrations.RunSQL(REPLACE, migrations.RunSQL.noop)]
