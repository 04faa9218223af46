"""The prefix of an entity stays once a number was taken with it: another one would leave a gap in both series."""

from django.db import migrations

CREATE = """
CREATE FUNCTION refuse_other_prefix() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    has_numbers boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.invoices_invoiceseries WHERE legal_entity_id = $1)', TG_TABLE_SCHEMA)
       INTO has_numbers USING OLD.id;
    IF has_numbers THEN
        RAISE EXCEPTION 'numbers were taken with the prefix %, so it stays', OLD.number_prefix
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER invoices_legalentity_prefix_stays BEFORE UPDATE OF number_prefix ON invoices_legalentity
    FOR EACH ROW WHEN (OLD.number_prefix IS DISTINCT FROM NEW.number_prefix) EXECUTE FUNCTION refuse_other_prefix();
"""
DROP = """
DROP TRIGGER invoices_legalentity_prefix_stays ON invoices_legalentity;
DROP FUNCTION refuse_other_prefix();
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0011_fill_opened_at")]
    operations = [migrations.RunSQL(CREATE, DROP)]
