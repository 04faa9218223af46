"""Model, timing and rounding are of their lists, whoever writes the row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0007_overage_factor_as_rated"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="price",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("billing_timing__in", ["arrears", "advance", "once"]),
                    ("convert_rounding__in", ["none", "up", "down", "half_up"]),
                    (
                        "model__in",
                        [
                            "flat",
                            "per_unit",
                            "graduated",
                            "volume",
                            "package",
                            "percentage",
                            "graduated_percentage",
                            "dynamic",
                            "cost_plus",
                        ],
                    ),
                ),
                name="price_choices",
            ),
        ),
    ]
