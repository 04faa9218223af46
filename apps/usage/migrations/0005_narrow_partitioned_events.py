"""Events in three narrow tables instead of one wide one: identity, what many share, and the rest by time."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import apps.core.fields
from apps.core.lookups import trigger_sql

KEEP_OLD = """
ALTER TABLE usage_usageevent RENAME TO usage_wideevent;
ALTER INDEX usage_event_customer_time RENAME TO usage_wideevent_customer_time;
ALTER INDEX usage_event_time RENAME TO usage_wideevent_time;
ALTER TABLE usage_wideevent RENAME CONSTRAINT usage_usageevent_pkey TO usage_wideevent_pkey;
ALTER TRIGGER usage_usageevent_is_append_only ON usage_wideevent RENAME TO usage_wideevent_is_append_only;
ALTER TRIGGER usage_usageevent_is_never_emptied ON usage_wideevent RENAME TO usage_wideevent_is_never_emptied;
"""

# The hour is an expression and not a column: it can't disagree with the timestamp, and its repeated values
# make the index a tenth of one on the timestamp.
EVENTS = """
CREATE TABLE usage_usageevent (
    "timestamp" timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    customer_id bigint NOT NULL,
    shape_id integer NOT NULL,
    event_id varchar(255) NOT NULL,
    property_values text NOT NULL
) PARTITION BY RANGE ("timestamp");
CREATE INDEX usage_event_customer_hour ON usage_usageevent
    (customer_id, date_bin('1 hour', "timestamp", '2000-01-01 00:00:00+00'::timestamptz));
CREATE TRIGGER usage_usageevent_is_append_only BEFORE UPDATE OR DELETE ON usage_usageevent
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER usage_usageevent_is_never_emptied BEFORE TRUNCATE ON usage_usageevent
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# The lock is shared by all batches; whoever must know that no older batch is still running takes it alone for
# a moment. A function, so that the version is read after the lock was obtained: a statement's snapshot is older.
BEGIN = """
CREATE FUNCTION usage_begin() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(current_schema() || ' usage', 0));
    RETURN (SELECT version FROM core_lookupversion);
END
$$;
"""

METERS, FORGET_METERS = trigger_sql("catalog_meter", events="INSERT OR UPDATE OR DELETE")
SETTINGS, FORGET_SETTINGS = trigger_sql("usage_usagesettings", events="INSERT OR UPDATE OR DELETE")


class Migration(migrations.Migration):
    dependencies = [
        ("usage", "0004_daily_totals_by_time"),
        ("catalog", "0010_active_meters_are_frozen"),
        ("core", "0003_lookup_version"),
        ("customers", "0002_references_are_remembered"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(KEEP_OLD, migrations.RunSQL.noop)],
            state_operations=[migrations.DeleteModel(name="UsageEvent")],
        ),
        migrations.CreateModel(
            name="EventKey",
            fields=[
                ("key", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("content", models.BigIntegerField(editable=False)),
                ("timestamp", models.DateTimeField(editable=False)),
                ("customer_id", models.BigIntegerField(editable=False, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="EventShape",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(editable=False, unique=True)),
                ("event_name", models.CharField(max_length=127, verbose_name="event")),
                ("source", models.CharField(blank=True, max_length=255)),
                (
                    "names",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
                ),
                ("fixed", models.TextField()),
                (
                    "meter_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "positions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(), size=None
                    ),
                ),
                (
                    "dimension_set_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
            ],
            options={"verbose_name": "event shape"},
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(EVENTS, "DROP TABLE usage_usageevent")],
            state_operations=[
                migrations.CreateModel(
                    name="UsageEvent",
                    fields=[
                        ("timestamp", models.DateTimeField()),
                        ("received_at", models.DateTimeField()),
                        (
                            "customer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                to="customers.customer",
                            ),
                        ),
                        (
                            "shape",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                to="usage.eventshape",
                            ),
                        ),
                        (
                            "event_id",
                            models.CharField(
                                max_length=255, primary_key=True, serialize=False, verbose_name="event ID"
                            ),
                        ),
                        ("property_values", models.TextField()),
                    ],
                    options={"verbose_name": "usage event", "ordering": ["-timestamp"]},
                )
            ],
        ),
        migrations.CreateModel(
            name="IngestionMinute",
            fields=[
                ("bucket", models.DateTimeField()),
                ("slot", models.SmallIntegerField()),
                ("batches", models.BigIntegerField(default=0)),
                ("accepted", models.BigIntegerField(default=0)),
                ("duplicates", models.BigIntegerField(default=0)),
                ("conflicts", models.BigIntegerField(default=0)),
                ("quarantined", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
                ("late", models.BigIntegerField(default=0)),
                ("lag_ms", models.BigIntegerField(default=0)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "slot", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={"verbose_name": "ingestion minute"},
        ),
        *[
            migrations.CreateModel(
                name=name,
                fields=[
                    ("customer_id", models.BigIntegerField()),
                    ("meter_id", models.BigIntegerField()),
                    ("dimension_set_id", models.BigIntegerField()),
                    ("bucket", models.DateTimeField()),
                    ("value_hash", models.UUIDField()),
                    ("event_count", models.BigIntegerField()),
                    (
                        "pk",
                        models.CompositePrimaryKey(
                            "customer_id",
                            "meter_id",
                            "bucket",
                            "dimension_set_id",
                            "value_hash",
                            blank=True,
                            editable=False,
                            primary_key=True,
                            serialize=False,
                        ),
                    ),
                ],
                options={"verbose_name": verbose_name},
            )
            for name, verbose_name in (
                ("UniqueHour", "hourly unique value"),
                ("UniqueDay", "daily unique value"),
            )
        ],
        migrations.CreateModel(
            name="UsageSettings",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "backdating_days",
                    models.PositiveSmallIntegerField(
                        default=35,
                        help_text="How old an event may be when it is reported. Older ones go through a backfill. At most 400.",
                        validators=[django.core.validators.MaxValueValidator(400)],
                    ),
                ),
                (
                    "partition_span",
                    models.CharField(
                        choices=[("day", "A day"), ("month", "A month")],
                        default="month",
                        help_text="A day for very many events, so that old ones can be dropped day by day.",
                        max_length=5,
                    ),
                ),
                (
                    "retention_days",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Events older than this are archived and dropped once no open invoice needs them. Empty: never.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
            ],
            options={
                "verbose_name": "usage settings",
                "verbose_name_plural": "usage settings",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="usage_settings_one_row"),
                    models.CheckConstraint(
                        condition=models.Q(("backdating_days__lte", 400)), name="usage_backdating_at_most_400"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("partition_span__in", ["day", "month"])),
                        name="usage_partition_span",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("retention_days__isnull", True),
                            ("retention_days__gte", models.F("backdating_days")),
                            _connector="OR",
                        ),
                        name="usage_kept_longer_than_backdating",
                        violation_error_message="Keep events at least as long as they may be backdated.",
                    ),
                ],
            },
        ),
        migrations.AddField("quarantinedevent", "content", models.BigIntegerField(editable=False, null=True)),
        *[
            migrations.AddField(model, name, field)
            for model in ("rollupday", "rolluphour")
            for name, field in (
                ("first_at", models.DateTimeField(null=True)),
                ("last_at", models.DateTimeField(null=True)),
                ("last_key", models.UUIDField(null=True)),
                ("last_value", apps.core.fields.QuantityField(decimal_places=18, max_digits=60, null=True)),
            )
        ],
        migrations.RunSQL(
            BEGIN + METERS + SETTINGS, "DROP FUNCTION usage_begin();" + FORGET_METERS + FORGET_SETTINGS
        ),
    ]
