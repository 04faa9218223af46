"""The largest of several values at one instant is the last, so no key is kept; levels are found at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0008_readings_that_count")]
    operations = [
        migrations.RemoveField("rollupday", "last_key"),
        migrations.RemoveField("rolluphour", "last_key"),
        migrations.AddIndex(
            "rollupday",
            models.Index(
                fields=["customer_id", "meter_id", "dimension_set_id", "bucket"],
                name="usage_rollupday_level",
                condition=models.Q(("first_at__isnull", False)),
            ),
        ),
    ]
