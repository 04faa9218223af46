"""One number a schema that changes whenever something does that processes remember."""

from django.db import migrations

CREATE = """
CREATE TABLE core_lookupversion (
    id smallint PRIMARY KEY CHECK (id = 1),
    version bigint NOT NULL
);
INSERT INTO core_lookupversion VALUES (1, (random() * 1000000000000)::bigint * 1000000);
CREATE FUNCTION raise_lookup_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Once a transaction is enough; a bulk change fires for each of its rows.
    IF coalesce(current_setting('countinghouse.lookups_raised', true), '')
       <> pg_current_xact_id()::text || TG_TABLE_SCHEMA THEN
        EXECUTE format('UPDATE %I.core_lookupversion SET version = version + 1', TG_TABLE_SCHEMA);
        PERFORM set_config('countinghouse.lookups_raised', pg_current_xact_id()::text || TG_TABLE_SCHEMA, true);
    END IF;
    RETURN NULL;
END
$$;
"""
DROP = """
DROP FUNCTION raise_lookup_version();
DROP TABLE core_lookupversion;
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0002_refuse_change")]
    operations = [migrations.RunSQL(CREATE, DROP)]
