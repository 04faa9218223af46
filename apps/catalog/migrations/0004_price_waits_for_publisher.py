"""A price that is added while its version is being published waits for the publisher, and is then refused.

The former function locked only versions it already saw as published, and so never waited: the price slipped in.
"""

from django.db import migrations

REPLACE = """
CREATE OR REPLACE FUNCTION refuse_change_of_published_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    version_ids bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.plan_version_id]
                                       WHEN 'DELETE' THEN ARRAY[OLD.plan_version_id]
                                       ELSE ARRAY[OLD.plan_version_id, NEW.plan_version_id] END;
BEGIN
    -- Wait for whoever holds the version, then look at it anew.
    PERFORM 1 FROM catalog_planversion WHERE id = ANY(version_ids) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM catalog_planversion WHERE id = ANY(version_ids) AND status <> 'draft') THEN
        RAISE EXCEPTION 'the prices of a published plan version can''t be changed; draft a new version'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_price_has_its_amount")]
    operations = [migrations.RunSQL(REPLACE, migrations.RunSQL.noop)]
