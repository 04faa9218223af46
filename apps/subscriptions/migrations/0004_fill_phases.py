"""Subscriptions from before phases: one phase, from the start on."""

from django.db import migrations

FILL = """
INSERT INTO subscriptions_subscriptionphase (subscription_id, plan_version_id, starts_at)
SELECT id, plan_version_id, started_at FROM subscriptions_subscription
    ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0003_phases")]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
