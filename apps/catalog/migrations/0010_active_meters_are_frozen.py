"""What an active meter measures never changes, what a draft one measures changes by versions; no price is published for a draft."""

from django.db import migrations

CREATE = """
CREATE OR REPLACE FUNCTION refuse_change_of_measurement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_other boolean := (NEW.event_name, NEW.aggregation, NEW.value_property, NEW.value_expression, NEW.filters,
                         NEW.dimensions)
                        IS DISTINCT FROM
                        (OLD.event_name, OLD.aggregation, OLD.value_property, OLD.value_expression, OLD.filters,
                         OLD.dimensions);
BEGIN
    IF (NEW.id, NEW.code) IS DISTINCT FROM (OLD.id, OLD.code)
       OR (OLD.status = 'active' AND (is_other OR NEW.definition_version <> OLD.definition_version)) THEN
        RAISE EXCEPTION 'what meter % measures can''t be changed; archive it and make another', OLD.code
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status = 'active' AND NEW.status <> 'active' THEN
        RAISE EXCEPTION 'meter % is active and can''t become a draft again', OLD.code
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.definition_version < OLD.definition_version
       OR (is_other AND NEW.definition_version = OLD.definition_version) THEN
        RAISE EXCEPTION 'what meter % measures changes only with its definition_version', OLD.code
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION refuse_publishing_draft_meters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM catalog_price JOIN catalog_meter ON catalog_meter.id = catalog_price.meter_id
               WHERE catalog_price.plan_version_id = NEW.id AND catalog_meter.status = 'draft') THEN
        RAISE EXCEPTION 'plan version % has a price for a draft meter and can''t be published', NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER catalog_planversion_has_active_meters BEFORE UPDATE ON catalog_planversion
    FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status <> 'draft')
    EXECUTE FUNCTION refuse_publishing_draft_meters();
"""
# The columns that 0009 adds are gone when this is undone, so the former function is put back.
DROP = """
DROP TRIGGER catalog_planversion_has_active_meters ON catalog_planversion;
DROP FUNCTION refuse_publishing_draft_meters();
CREATE OR REPLACE FUNCTION refuse_change_of_measurement() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


class Migration(migrations.Migration):
    dependencies = [("catalog", "0009_wider_meters")]
    operations = [migrations.RunSQL(CREATE, DROP)]
