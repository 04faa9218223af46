"""How many lines of its file an import has read, so that it goes on without reading them again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0016_widest_filter")]

    operations = [
        migrations.AddField(
            model_name="usageimport",
            name="lines_read",
            field=models.BigIntegerField(default=0, db_default=0),
        ),
    ]
