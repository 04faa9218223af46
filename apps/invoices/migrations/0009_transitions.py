"""Which state may follow which, and that one legal entity is always the default: held by the database."""

from django.db import migrations

CREATE = """
CREATE OR REPLACE FUNCTION refuse_change_of_finalized_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- What becomes of the debt. Columns that are added later are frozen too, until they are named here.
    debt CONSTANT text[] := ARRAY['status', 'status_reason', 'status_changed_at', 'payment_status',
                                  'payment_reference'];
BEGIN
    IF OLD.status = 'draft' THEN
        -- A draft is issued, or finished without a number where nothing is owed.
        IF TG_OP = 'UPDATE' AND NOT (NEW.status IN ('draft', 'open') OR (NEW.status = 'paid' AND NEW.number IS NULL))
        THEN
            RAISE EXCEPTION 'a draft can''t become %', NEW.status USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - debt IS DISTINCT FROM to_jsonb(OLD) - debt OR NEW.status = 'draft'
       OR (OLD.status = 'void' AND to_jsonb(NEW) IS DISTINCT FROM to_jsonb(OLD)) THEN
        RAISE EXCEPTION 'invoice % is finalized and can''t be changed; correct it with a credit note', OLD.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
           ('open', 'paid'), ('open', 'void'), ('open', 'uncollectible'),
           ('uncollectible', 'open'), ('uncollectible', 'paid'), ('uncollectible', 'void')) THEN
        RAISE EXCEPTION 'invoice % is % and can''t become %', OLD.number, OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION refuse_no_default_entity() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    has_default boolean;
BEGIN
    -- It runs at the commit, when another schema may be entered.
    EXECUTE format('SELECT count(*) = 0 OR bool_or(is_default) FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME)
       INTO has_default;
    IF NOT has_default THEN
        RAISE EXCEPTION 'one legal entity has to be the default' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER invoices_legalentity_has_default AFTER INSERT OR UPDATE OR DELETE ON invoices_legalentity
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_no_default_entity();
"""
DROP = """
DROP TRIGGER invoices_legalentity_has_default ON invoices_legalentity;
DROP FUNCTION refuse_no_default_entity();
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0008_states_hold")]
    operations = [migrations.RunSQL(CREATE, DROP)]
