"""Why a quarantined event still waits: also that a meter rejects it, and that events of its time are archived."""

from django.db import migrations, models

REASONS = [
    ("unknown_customer", "Unknown customer"),
    ("unknown_meter", "No meter for this event"),
    ("missing_value", "No meter finds its property"),
    ("rejected", "A meter rejects it"),
    ("events_archived", "Events of its time are archived"),
]


class Migration(migrations.Migration):
    dependencies = [("usage", "0014_day_mark")]

    operations = [
        migrations.AddField(
            model_name="quarantinedevent",
            name="problem",
            field=models.TextField(blank=True, db_default=""),
        ),
        migrations.AlterField(
            model_name="quarantinedevent",
            name="reason",
            field=models.CharField(choices=REASONS, max_length=20),
        ),
    ]
