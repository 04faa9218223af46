"""Ingestion remembers which customer a reference means; one that passes to another customer must be noticed."""

from django.db import migrations

from apps.core.lookups import trigger_sql

CREATE, DROP = trigger_sql("customers_customer", events="UPDATE OF external_id, public_id OR DELETE")


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial"), ("core", "0003_lookup_version")]
    operations = [migrations.RunSQL(CREATE, DROP)]
