"""Files of events that were archived and dropped. They are facts: no UPDATE, no DELETE, no TRUNCATE."""

from django.db import migrations, models

TABLE = "usage_archivedpartition"
CREATE = f"""
CREATE TRIGGER {TABLE}_is_append_only BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {TABLE}_is_never_emptied BEFORE TRUNCATE ON {TABLE}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
DROP = f"""
DROP TRIGGER {TABLE}_is_append_only ON {TABLE};
DROP TRIGGER {TABLE}_is_never_emptied ON {TABLE};
"""


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0010_corrections"),
    ]

    operations = [
        migrations.CreateModel(
            name="ArchivedPartition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("partition", models.CharField(max_length=63)),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="until")),
                (
                    "format",
                    models.CharField(choices=[("parquet", "Parquet"), ("csv", "CSV (gzip)")], max_length=7),
                ),
                ("file_name", models.CharField(max_length=100, unique=True, verbose_name="file")),
                ("row_count", models.BigIntegerField(verbose_name="events")),
                ("byte_size", models.BigIntegerField(verbose_name="size")),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
                ("archived_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "archived partition",
                "ordering": ["-starts_at", "-id"],
                "permissions": [("download_archivedpartition", "Can download archived events")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("starts_at__lt", models.F("ends_at"))),
                        name="archived_partition_in_order",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RetentionCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("checked_at", models.DateTimeField()),
                ("problem", models.TextField(blank=True)),
            ],
            options={
                "verbose_name": "retention check",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="retention_check_one_row")
                ],
            },
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
