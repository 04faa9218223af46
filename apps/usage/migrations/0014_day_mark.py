"""How far the totals of days have come, and a view of whole days from both sides of that mark."""

from django.db import migrations, models

import apps.core.fields
from apps.core.lookups import trigger_sql

# Days that have totals are complete, and today's events may have come in before this runs; so is every day before
# the first event. By the machine's clock: where a sandbox's differs, days are written with their events for longer.
CREATE = """
ALTER TABLE usage_daymark
    ADD CONSTRAINT usage_daymark_midnights CHECK (
        written_before = date_bin('1 day', written_before, '2000-01-01 00:00:00+00'::timestamptz)
        AND complete_before = date_bin('1 day', complete_before, '2000-01-01 00:00:00+00'::timestamptz));
INSERT INTO usage_daymark (id, written_before, complete_before)
SELECT 1, mark, mark
  FROM (SELECT greatest(max(bucket) + interval '24 hours', date_trunc('day', now(), 'UTC')) AS mark
          FROM usage_rollupday) AS known;
CREATE FUNCTION keep_day_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.written_before < OLD.written_before OR NEW.complete_before < OLD.complete_before THEN
        RAISE EXCEPTION 'The day mark only moves on: what was written before it would be counted twice, or not at all'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER usage_daymark_moves_on BEFORE UPDATE OR DELETE ON usage_daymark
    FOR EACH ROW EXECUTE FUNCTION keep_day_mark();
CREATE VIEW usage_daypart AS
SELECT customer_id, meter_id, dimension_set_id, bucket, quantity, event_count
  FROM usage_rollupday WHERE bucket < (SELECT complete_before FROM usage_daymark)
UNION ALL
SELECT customer_id, meter_id, dimension_set_id,
       date_bin('1 day', bucket, '2000-01-01 00:00:00+00'::timestamptz) AS bucket, quantity, event_count
  FROM usage_rolluphour WHERE bucket >= (SELECT complete_before FROM usage_daymark);
"""
# The totals of days would lack sums and counts: there is no way back but to add them up.
DROP = """
DROP VIEW usage_daypart;
DROP TRIGGER usage_daymark_moves_on ON usage_daymark;
DROP FUNCTION keep_day_mark();
"""
REMEMBER, FORGET = trigger_sql(
    "usage_daymark", events="UPDATE", when="OLD.written_before <> NEW.written_before"
)


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0003_lookup_version"),
        ("usage", "0013_cardinality"),
    ]

    operations = [
        migrations.CreateModel(
            name="DayMark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("written_before", models.DateTimeField(editable=False)),
                ("complete_before", models.DateTimeField(editable=False)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="usage_daymark_one_row"),
                    models.CheckConstraint(
                        condition=models.Q(("complete_before__lte", models.F("written_before"))),
                        name="usage_daymark_written_then_complete",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DayPart",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "customer_id",
                        "meter_id",
                        "bucket",
                        "dimension_set_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("customer_id", models.BigIntegerField()),
                ("meter_id", models.BigIntegerField()),
                ("dimension_set_id", models.BigIntegerField()),
                ("bucket", models.DateTimeField()),
                ("quantity", apps.core.fields.QuantityField(decimal_places=18, max_digits=60)),
                ("event_count", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "part of a daily total",
                "db_table": "usage_daypart",
                "managed": False,
            },
        ),
        migrations.RunSQL(CREATE + REMEMBER, FORGET + DROP),
    ]
