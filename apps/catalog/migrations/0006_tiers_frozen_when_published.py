"""Tiers and filters are frozen with their price, and a version with all of its columns."""

from django.db import migrations

CREATE = """
CREATE OR REPLACE FUNCTION refuse_change_of_published_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    -- Everything but the status. Columns that are added later are frozen too, until they are named here.
    IF TG_OP = 'DELETE' OR NEW.status = 'draft'
       OR to_jsonb(NEW) - ARRAY['status'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['status'] THEN
        RAISE EXCEPTION 'plan version % is published and can''t be changed; draft a new version', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION refuse_change_of_published_part() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    price_ids bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.price_id]
                                     WHEN 'DELETE' THEN ARRAY[OLD.price_id]
                                     ELSE ARRAY[OLD.price_id, NEW.price_id] END;
BEGIN
    -- Wait for whoever holds the version, then look at it anew.
    PERFORM 1 FROM catalog_planversion AS version JOIN catalog_price AS price ON price.plan_version_id = version.id
      WHERE price.id = ANY(price_ids) ORDER BY version.id FOR SHARE OF version;
    IF EXISTS (SELECT 1 FROM catalog_planversion AS version JOIN catalog_price AS price
                   ON price.plan_version_id = version.id
                WHERE price.id = ANY(price_ids) AND version.status <> 'draft') THEN
        RAISE EXCEPTION 'the prices of a published plan version can''t be changed; draft a new version'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER catalog_pricetier_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON catalog_pricetier
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published_part();
CREATE TRIGGER catalog_pricefilter_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON catalog_pricefilter
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published_part();
"""
DROP = """
DROP TRIGGER catalog_pricefilter_is_frozen ON catalog_pricefilter;
DROP TRIGGER catalog_pricetier_is_frozen ON catalog_pricetier;
DROP FUNCTION refuse_change_of_published_part();
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0005_price_models")]
    operations = [migrations.RunSQL(CREATE, DROP)]
