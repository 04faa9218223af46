"""Which property that a filter names has the most values: each of them makes shapes of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0015_quarantine_latest_reason"),
    ]

    operations = [
        migrations.AddField(
            "metercardinality",
            "widest_filter",
            models.CharField(blank=True, default="", max_length=127),
            preserve_default=False,
        ),
        migrations.AddField(
            "metercardinality", "widest_filter_count", models.PositiveBigIntegerField(default=0)
        ),
    ]
