"""Rows of usage_usageevent are facts: no UPDATE, no DELETE, no TRUNCATE."""

from django.db import migrations

CREATE = """
CREATE TRIGGER usage_usageevent_is_append_only BEFORE UPDATE OR DELETE ON usage_usageevent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_usageevent_is_never_emptied BEFORE TRUNCATE ON usage_usageevent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
DROP = """
DROP TRIGGER usage_usageevent_is_append_only ON usage_usageevent;
DROP TRIGGER usage_usageevent_is_never_emptied ON usage_usageevent;
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial"), ("core", "0002_refuse_change")]
    operations = [migrations.RunSQL(CREATE, DROP)]
