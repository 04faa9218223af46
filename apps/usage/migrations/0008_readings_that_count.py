"""Voided events, readings of younger meters, and one view of all readings that count."""

from django.db import migrations, models

VIEW = """
CREATE VIEW usage_reading AS
SELECT event.customer_id,
       date_bin('1 hour', event."timestamp", '2000-01-01 00:00:00+00'::timestamptz) AS bucket,
       event."timestamp", event.event_id, event.shape_id::bigint AS shape_id,
       reading.meter_id, reading.dimension_set_id,
       CASE WHEN reading.position < 0 THEN '1' ELSE event.property_values::json ->> reading.position END AS value
  FROM usage_usageevent AS event
  JOIN usage_eventshape AS shape ON shape.id = event.shape_id
 CROSS JOIN LATERAL unnest(shape.meter_ids, shape.dimension_set_ids, shape.positions)
       AS reading(meter_id, dimension_set_id, position)
 WHERE NOT EXISTS (SELECT FROM usage_voidedevent AS voided
                    WHERE voided.customer_id = event.customer_id AND voided."timestamp" = event."timestamp"
                      AND voided.event_id = event.event_id AND voided.shape_id = event.shape_id)
UNION ALL
SELECT later.customer_id,
       date_bin('1 hour', later."timestamp", '2000-01-01 00:00:00+00'::timestamptz) AS bucket,
       later."timestamp", later.event_id, later.shape_id, later.meter_id, later.dimension_set_id, later.value
  FROM usage_backfilledreading AS later
 WHERE NOT EXISTS (SELECT FROM usage_voidedevent AS voided
                    WHERE voided.customer_id = later.customer_id AND voided."timestamp" = later."timestamp"
                      AND voided.event_id = later.event_id AND voided.shape_id = later.shape_id)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0007_drop_wide_events"),
    ]

    operations = [
        migrations.CreateModel(
            name="EventReading",
            fields=[
                ("customer_id", models.BigIntegerField()),
                ("bucket", models.DateTimeField()),
                ("timestamp", models.DateTimeField()),
                ("event_id", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("shape_id", models.BigIntegerField()),
                ("meter_id", models.BigIntegerField()),
                ("dimension_set_id", models.BigIntegerField()),
                ("value", models.TextField()),
            ],
            options={
                "verbose_name": "reading",
                "db_table": "usage_reading",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="BackfilledReading",
            fields=[
                ("customer_id", models.BigIntegerField()),
                ("timestamp", models.DateTimeField()),
                ("meter_id", models.BigIntegerField()),
                ("event_id", models.CharField(max_length=255)),
                ("shape_id", models.BigIntegerField()),
                ("dimension_set_id", models.BigIntegerField()),
                ("value", models.TextField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "customer_id",
                        "timestamp",
                        "meter_id",
                        "event_id",
                        "shape_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
            ],
            options={
                "verbose_name": "backfilled reading",
            },
        ),
        migrations.CreateModel(
            name="VoidedEvent",
            fields=[
                ("customer_id", models.BigIntegerField()),
                ("timestamp", models.DateTimeField()),
                ("event_id", models.CharField(max_length=255)),
                ("shape_id", models.BigIntegerField()),
                ("key", models.UUIDField(unique=True)),
                ("voided_at", models.DateTimeField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "customer_id",
                        "timestamp",
                        "event_id",
                        "shape_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
            ],
            options={
                "verbose_name": "voided event",
            },
        ),
        migrations.RunSQL(VIEW, "DROP VIEW usage_reading"),
    ]
