"""A finalized invoice and its lines never change; only what becomes of the debt does."""

from django.db import migrations

CREATE = """
CREATE FUNCTION refuse_change_of_finalized_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    -- Everything but the status. Columns that are added later are frozen too, until they are named here.
    IF TG_OP = 'DELETE' OR NEW.status = 'draft'
       OR to_jsonb(NEW) - ARRAY['status'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['status'] THEN
        RAISE EXCEPTION 'invoice % is finalized and can''t be changed; correct it with a credit note', OLD.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER invoices_invoice_is_frozen BEFORE UPDATE OR DELETE ON invoices_invoice
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_finalized_invoice();

CREATE FUNCTION refuse_change_of_finalized_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    invoice_ids bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.invoice_id]
                                       WHEN 'DELETE' THEN ARRAY[OLD.invoice_id]
                                       ELSE ARRAY[OLD.invoice_id, NEW.invoice_id] END;
BEGIN
    PERFORM 1 FROM invoices_invoice WHERE id = ANY(invoice_ids) AND status <> 'draft' FOR SHARE;
    IF FOUND THEN
        RAISE EXCEPTION 'the lines of a finalized invoice can''t be changed; correct it with a credit note'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER invoices_invoiceline_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON invoices_invoiceline
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_finalized_line();
"""
DROP = """
DROP TRIGGER invoices_invoiceline_is_frozen ON invoices_invoiceline;
DROP FUNCTION refuse_change_of_finalized_line();
DROP TRIGGER invoices_invoice_is_frozen ON invoices_invoice;
DROP FUNCTION refuse_change_of_finalized_invoice();
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
