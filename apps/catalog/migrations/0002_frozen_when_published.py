"""A published plan version and its prices never change; what a meter measures never changes."""

from django.db import migrations

CREATE = """
CREATE FUNCTION refuse_change_of_published_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'DELETE' OR NEW.status = 'draft'
       OR (NEW.id, NEW.plan_id, NEW.number, NEW.currency, NEW.created_at, NEW.published_at)
          IS DISTINCT FROM (OLD.id, OLD.plan_id, OLD.number, OLD.currency, OLD.created_at, OLD.published_at) THEN
        RAISE EXCEPTION 'plan version % is published and can''t be changed; draft a new version', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER catalog_planversion_is_frozen BEFORE UPDATE OR DELETE ON catalog_planversion
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published_version();

CREATE FUNCTION refuse_change_of_published_price() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    version_ids bigint[] := CASE TG_OP WHEN 'INSERT' THEN ARRAY[NEW.plan_version_id]
                                       WHEN 'DELETE' THEN ARRAY[OLD.plan_version_id]
                                       ELSE ARRAY[OLD.plan_version_id, NEW.plan_version_id] END;
BEGIN
    -- FOR SHARE: a version that is being published at this moment is waited for.
    PERFORM 1 FROM catalog_planversion WHERE id = ANY(version_ids) AND status <> 'draft' FOR SHARE;
    IF FOUND THEN
        RAISE EXCEPTION 'the prices of a published plan version can''t be changed; draft a new version'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER catalog_price_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON catalog_price
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_published_price();

CREATE FUNCTION refuse_change_of_measurement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.code, NEW.event_name, NEW.aggregation, NEW.value_property, NEW.dimensions)
       IS DISTINCT FROM
       (OLD.id, OLD.code, OLD.event_name, OLD.aggregation, OLD.value_property, OLD.dimensions) THEN
        RAISE EXCEPTION 'what meter % measures can''t be changed; archive it and make another', OLD.code
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER catalog_meter_measures_the_same BEFORE UPDATE ON catalog_meter
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_measurement();
"""
DROP = """
DROP TRIGGER catalog_meter_measures_the_same ON catalog_meter;
DROP FUNCTION refuse_change_of_measurement();
DROP TRIGGER catalog_price_is_frozen ON catalog_price;
DROP FUNCTION refuse_change_of_published_price();
DROP TRIGGER catalog_planversion_is_frozen ON catalog_planversion;
DROP FUNCTION refuse_change_of_published_version();
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
