from django.db import migrations, models

PER_SECOND = "Usage events a second, in the long run. Empty: the installation's limit."
BURST = "Events at once after a rest. Empty: a second's worth, and at least one largest batch."


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial")]
    operations = [
        migrations.AddField(
            "apikey",
            "events_per_second",
            models.PositiveIntegerField(blank=True, null=True, help_text=PER_SECOND),
        ),
        migrations.AddField(
            "apikey",
            "burst_events",
            models.PositiveIntegerField(blank=True, null=True, verbose_name="burst", help_text=BURST),
        ),
        migrations.AddConstraint(
            "apikey",
            models.CheckConstraint(
                condition=models.Q(events_per_second__isnull=True) | models.Q(events_per_second__gte=1),
                name="api_key_rate_is_positive",
            ),
        ),
        migrations.AddConstraint(
            "apikey",
            models.CheckConstraint(
                condition=models.Q(burst_events__isnull=True) | models.Q(burst_events__gte=1),
                name="api_key_burst_is_positive",
            ),
        ),
        migrations.CreateModel(
            name="RateBucket",
            fields=[
                (
                    "api_key",
                    models.OneToOneField(
                        on_delete=models.PROTECT, primary_key=True, serialize=False, to="access.apikey"
                    ),
                ),
                ("tokens", models.DecimalField(decimal_places=6, max_digits=38)),
                ("filled_at", models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(
            "ALTER TABLE access_ratebucket SET UNLOGGED", "ALTER TABLE access_ratebucket SET LOGGED"
        ),
    ]
