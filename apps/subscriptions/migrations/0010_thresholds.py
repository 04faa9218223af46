"""The unbilled amount at which usage of the open period is billed."""

from django.db import migrations, models

import apps.core.fields


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0011_terms"),
        ("customers", "0002_references_are_remembered"),
        ("subscriptions", "0009_add_ons"),
    ]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="billing_threshold",
            field=apps.core.fields.AmountField(blank=True, decimal_places=4, max_digits=28, null=True),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("billing_threshold__isnull", False), ("status", "active")),
                fields=["id"],
                name="subscription_threshold",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("billing_threshold__isnull", True), ("billing_threshold__gt", 0), _connector="OR"
                ),
                name="subscription_threshold_above_zero",
            ),
        ),
    ]
