"""Totals are updated all the time: room on each page lets PostgreSQL do it without touching the indexes (HOT)."""

from django.db import migrations

CREATE = """
ALTER TABLE usage_rolluphour SET (fillfactor = 70);
ALTER TABLE usage_rollupday SET (fillfactor = 70);
"""
DROP = """
ALTER TABLE usage_rolluphour RESET (fillfactor);
ALTER TABLE usage_rollupday RESET (fillfactor);
"""


class Migration(migrations.Migration):
    dependencies = [("usage", "0002_append_only")]
    operations = [migrations.RunSQL(CREATE, DROP)]
