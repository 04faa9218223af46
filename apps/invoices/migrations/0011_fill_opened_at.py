"""Subscriptions whose opening is billed: since the first such invoice, void or not. A second one is not due."""

from django.db import migrations

FILL = """
UPDATE subscriptions_subscription AS subscription
   SET opened_at = opening.first_at, opening_due_at = NULL
  FROM (
        SELECT subscription_id, min(created_at) AS first_at
          FROM invoices_invoice
         WHERE kind = 'opening'
         GROUP BY subscription_id
       ) AS opening
 WHERE subscription.id = opening.subscription_id AND subscription.opened_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("invoices", "0010_billing_runs_and_parking"), ("subscriptions", "0007_opened_at")]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
