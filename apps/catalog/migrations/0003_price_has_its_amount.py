"""A price has the amount that its model needs: the former CHECK let NULL pass."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_frozen_when_published"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="price",
            name="price_columns_fit_its_model",
        ),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("meter__isnull", True),
                        ("model", "flat"),
                        ("unit_amount__isnull", True),
                        ("flat_amount__gte", 0),
                        ("flat_amount__isnull", False),
                    ),
                    models.Q(
                        ("flat_amount__isnull", True),
                        ("meter__isnull", False),
                        ("model", "per_unit"),
                        ("unit_amount__gte", 0),
                        ("unit_amount__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="price_columns_fit_its_model",
                violation_error_message="A flat fee has a flat amount and no meter; a price per unit has a meter and a unit amount.",
            ),
        ),
    ]
