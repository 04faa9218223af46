"""Add-ons: plans that are attached to a subscription beside its own."""

from django.db import migrations, models

# So that a row that names a version and its plan can be held to both.
CREATE = "ALTER TABLE catalog_planversion ADD CONSTRAINT plan_version_of_plan UNIQUE (id, plan_id)"
DROP = "ALTER TABLE catalog_planversion DROP CONSTRAINT plan_version_of_plan"


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0011_terms"),
    ]

    operations = [
        migrations.AddField(
            model_name="plan",
            name="kind",
            field=models.CharField(
                choices=[("plan", "Plan"), ("add_on", "Add-on")], default="plan", max_length=6
            ),
        ),
        migrations.AddConstraint(
            model_name="plan",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["plan", "add_on"])), name="plan_kind"
            ),
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
