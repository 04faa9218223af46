"""Rows of audit_auditentry are facts: no UPDATE, no DELETE, no TRUNCATE."""

from django.db import migrations

CREATE = """
CREATE TRIGGER audit_auditentry_is_append_only BEFORE UPDATE OR DELETE ON audit_auditentry
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_auditentry_is_never_emptied BEFORE TRUNCATE ON audit_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
DROP = """
DROP TRIGGER audit_auditentry_is_append_only ON audit_auditentry;
DROP TRIGGER audit_auditentry_is_never_emptied ON audit_auditentry;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("core", "0002_refuse_change")]
    operations = [migrations.RunSQL(CREATE, DROP)]
