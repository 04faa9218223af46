from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0006_move_events")]
    operations = [
        migrations.RunSQL("DROP TABLE usage_wideevent", migrations.RunSQL.noop),
        migrations.RemoveField("quarantinedevent", "content_hash"),
        migrations.AlterField("quarantinedevent", "content", models.BigIntegerField(editable=False)),
    ]
