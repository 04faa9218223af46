"""Files of events that are taken in piece by piece."""

from django.db import migrations, models
from django.db.models import F

import apps.core.clock


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0011_archives"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageImport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.CharField(editable=False, max_length=32, unique=True, verbose_name="ID"),
                ),
                ("created_at", models.DateTimeField(default=apps.core.clock.now, editable=False)),
                ("file_name", models.CharField(max_length=255, verbose_name="file")),
                (
                    "format",
                    models.CharField(
                        choices=[("csv", "CSV"), ("ndjson", "NDJSON"), ("parquet", "Parquet")], max_length=7
                    ),
                ),
                ("sha256", models.CharField(max_length=64, verbose_name="SHA-256")),
                ("byte_size", models.BigIntegerField(verbose_name="size")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("uploaded", "Uploaded"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="uploaded",
                        max_length=9,
                    ),
                ),
                ("earliest_at", models.DateTimeField(blank=True, null=True)),
                ("position", models.BigIntegerField(default=0)),
                ("bytes_read", models.BigIntegerField(default=0)),
                ("accepted", models.BigIntegerField(default=0)),
                ("duplicates", models.BigIntegerField(default=0)),
                ("conflicts", models.BigIntegerField(default=0)),
                ("quarantined", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("report_size", models.BigIntegerField(default=0)),
                ("problem", models.TextField(blank=True)),
                ("actor_kind", models.CharField(max_length=20)),
                ("actor", models.CharField(blank=True, max_length=254)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "verbose_name": "usage import",
                "ordering": ["-id"],
                "permissions": [("run_usageimport", "Can import usage from files")],
                "indexes": [models.Index(fields=["sha256"], name="usage_import_same_file")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            position=F("accepted")
                            + F("duplicates")
                            + F("conflicts")
                            + F("quarantined")
                            + F("rejected")
                        ),
                        name="usage_import_counts_every_record",
                    )
                ],
            },
        ),
    ]
