"""How finely each meter is grouped, counted once an hour."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0010_active_meters_are_frozen"),
        ("usage", "0012_imports"),
    ]

    operations = [
        migrations.CreateModel(
            name="MeterCardinality",
            fields=[
                (
                    "meter",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="cardinality",
                        serialize=False,
                        to="catalog.meter",
                    ),
                ),
                ("month_on", models.DateField(verbose_name="month")),
                ("dimension_sets", models.PositiveBigIntegerField()),
                ("shapes", models.PositiveBigIntegerField()),
                ("widest_dimension", models.CharField(blank=True, max_length=127)),
                ("widest_count", models.PositiveBigIntegerField(default=0)),
                ("counted_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "cardinality of a meter",
            },
        ),
    ]
