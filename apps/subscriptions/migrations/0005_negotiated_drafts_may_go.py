"""A negotiated draft can be thrown away, and the note for whom it was goes with it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0007_overage_factor_as_rated"),
        ("subscriptions", "0004_fill_phases"),
    ]

    operations = [
        migrations.AlterField(
            model_name="negotiatedversion",
            name="plan_version",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="negotiated_for",
                to="catalog.planversion",
            ),
        ),
    ]
