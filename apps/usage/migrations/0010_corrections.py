"""Corrections, revisions of events, backfills; and readings that a changed definition left behind count no more."""

import django.db.models.deletion
from django.db import migrations, models

import apps.core.clock

# `usage_anyreading` is every reading that a present definition made, `usage_reading` what counts of it.
EVERY = """
SELECT event.customer_id,
       date_bin('1 hour', event."timestamp", '2000-01-01 00:00:00+00'::timestamptz) AS bucket,
       event."timestamp", event.event_id, event.shape_id::bigint AS shape_id,
       reading.meter_id, reading.dimension_set_id,
       CASE WHEN reading.position < 0 THEN '1' ELSE event.property_values::json ->> reading.position END AS value
  FROM usage_usageevent AS event
  JOIN usage_eventshape AS shape ON shape.id = event.shape_id
 CROSS JOIN LATERAL unnest(shape.meter_ids, shape.dimension_set_ids, shape.positions)
       AS reading(meter_id, dimension_set_id, position)
 WHERE {of_event}
UNION ALL
SELECT later.customer_id,
       date_bin('1 hour', later."timestamp", '2000-01-01 00:00:00+00'::timestamptz) AS bucket,
       later."timestamp", later.event_id, later.shape_id, later.meter_id, later.dimension_set_id, later.value
  FROM usage_backfilledreading AS later
 WHERE {of_later}
"""
COUNTS = """NOT EXISTS (SELECT FROM usage_voidedevent AS voided
                    WHERE voided.customer_id = {0}.customer_id AND voided."timestamp" = {0}."timestamp"
                      AND voided.event_id = {0}.event_id AND voided.shape_id = {0}.shape_id)"""
IS_PRESENT = """NOT EXISTS (SELECT FROM usage_discardedreading AS former
                    WHERE former.shape_id = event.shape_id AND former.meter_id = reading.meter_id)"""
VIEWS = f"""
CREATE OR REPLACE VIEW usage_reading AS
{EVERY.format(of_event=f"{COUNTS.format('event')} AND {IS_PRESENT}", of_later=COUNTS.format("later"))};
CREATE VIEW usage_anyreading AS
{EVERY.format(of_event=IS_PRESENT, of_later="true")};
"""
FORMER_VIEW = f"""
DROP VIEW usage_anyreading;
CREATE OR REPLACE VIEW usage_reading AS
{EVERY.format(of_event=COUNTS.format("event"), of_later=COUNTS.format("later"))};
"""
FACTS = ("usage_usagecorrection", "usage_eventrevision")
REFUSE = "".join(
    f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table}"
    f" FOR EACH ROW EXECUTE FUNCTION refuse_change();"
    f"CREATE TRIGGER {table}_is_never_emptied BEFORE TRUNCATE ON {table}"
    f" FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();"
    for table in FACTS
)
ALLOW = "".join(
    f"DROP TRIGGER {table}_is_append_only ON {table}; DROP TRIGGER {table}_is_never_emptied ON {table};"
    for table in FACTS
)


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0010_active_meters_are_frozen"),
        ("customers", "0002_references_are_remembered"),
        ("usage", "0009_levels"),
    ]

    operations = [
        migrations.CreateModel(
            name="DiscardedReading",
            fields=[
                ("shape_id", models.BigIntegerField()),
                ("meter_id", models.BigIntegerField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shape_id", "meter_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={
                "verbose_name": "discarded reading",
            },
        ),
        migrations.AddField(
            model_name="eventshape",
            name="revision",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="UsageBackfill",
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
                (
                    "mode",
                    models.CharField(
                        choices=[("add", "Add to what is there"), ("replace", "Replace what is there")],
                        default="add",
                        max_length=7,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("closed", "Closed"),
                            ("reverted", "Reverted"),
                            ("discarded", "Discarded"),
                        ],
                        default="open",
                        editable=False,
                        max_length=9,
                    ),
                ),
                (
                    "event_name",
                    models.CharField(
                        blank=True,
                        help_text="Empty: events of every name.",
                        max_length=127,
                        verbose_name="event",
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(help_text="Not part of the range.", verbose_name="until")),
                ("reason", models.TextField()),
                ("actor_kind", models.CharField(editable=False, max_length=20)),
                ("actor", models.CharField(blank=True, editable=False, max_length=254)),
                ("staged_count", models.PositiveIntegerField(default=0, editable=False)),
                ("outcome", models.JSONField(default=dict, editable=False)),
                ("closed_at", models.DateTimeField(editable=False, null=True)),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: events of all customers.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "verbose_name": "backfill",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="BackfillEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.UUIDField(editable=False)),
                ("content", models.BigIntegerField(editable=False)),
                ("source", models.CharField(blank=True, max_length=255)),
                ("event_id", models.CharField(max_length=255, verbose_name="event ID")),
                ("event_name", models.CharField(max_length=127, verbose_name="event")),
                ("customer_reference", models.CharField(max_length=127, verbose_name="customer")),
                ("timestamp", models.DateTimeField()),
                ("properties", models.TextField()),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("staged", "Staged"),
                            ("accepted", "Accepted"),
                            ("duplicate", "Duplicate"),
                            ("conflict", "Conflict"),
                            ("quarantined", "Not countable"),
                            ("rejected", "Rejected"),
                        ],
                        default="staged",
                        max_length=11,
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=40)),
                ("accepted_key", models.UUIDField(null=True)),
                ("accepted_customer_id", models.BigIntegerField(null=True)),
                ("accepted_shape_id", models.BigIntegerField(null=True)),
                (
                    "backfill",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="usage.usagebackfill",
                    ),
                ),
            ],
            options={
                "verbose_name": "staged event",
            },
        ),
        migrations.CreateModel(
            name="UsageCorrection",
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
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("void", "Voided"),
                            ("amend", "Amended"),
                            ("backfill_closed", "Backfill closed"),
                            ("backfill_reverted", "Backfill reverted"),
                        ],
                        max_length=20,
                    ),
                ),
                ("key", models.UUIDField(editable=False, null=True)),
                ("source", models.CharField(blank=True, max_length=255)),
                ("event_id", models.CharField(blank=True, max_length=255, verbose_name="event ID")),
                ("timestamp", models.DateTimeField(null=True)),
                ("changes", models.JSONField(default=dict)),
                ("reason", models.TextField()),
                ("actor_kind", models.CharField(max_length=20)),
                ("actor", models.CharField(blank=True, max_length=254)),
                (
                    "backfill",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="corrections",
                        to="usage.usagebackfill",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, to="customers.customer"
                    ),
                ),
            ],
            options={
                "verbose_name": "correction",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="EventRevision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("root_key", models.UUIDField(editable=False)),
                ("revision", models.PositiveSmallIntegerField()),
                ("key", models.UUIDField(editable=False, unique=True)),
                ("customer_id", models.BigIntegerField()),
                ("timestamp", models.DateTimeField()),
                ("event_id", models.CharField(max_length=255)),
                ("shape_id", models.BigIntegerField()),
                (
                    "correction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="revisions",
                        to="usage.usagecorrection",
                    ),
                ),
            ],
            options={
                "verbose_name": "event revision",
            },
        ),
        migrations.AddField(
            model_name="voidedevent",
            name="correction",
            field=models.ForeignKey(
                default=0,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="voided",
                to="usage.usagecorrection",
            ),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="MeterBackfill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("definition_version", models.PositiveIntegerField(editable=False)),
                (
                    "starts_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="Empty: from the first event on.",
                        null=True,
                        verbose_name="from",
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(
                        blank=True, help_text="Empty: to the last event.", null=True, verbose_name="until"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=9,
                    ),
                ),
                ("position", models.JSONField(default=dict)),
                ("last_shape_id", models.BigIntegerField(null=True)),
                ("events_expected", models.BigIntegerField(default=0)),
                ("events_seen", models.BigIntegerField(default=0)),
                ("readings_added", models.BigIntegerField(default=0)),
                ("events_skipped", models.BigIntegerField(default=0)),
                ("skipped_examples", models.JSONField(default=list)),
                ("error", models.TextField(blank=True)),
                ("reason", models.TextField(blank=True)),
                ("actor_kind", models.CharField(max_length=20)),
                ("actor", models.CharField(blank=True, max_length=254)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("stepped_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "meter",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="backfills",
                        to="catalog.meter",
                    ),
                ),
            ],
            options={
                "verbose_name": "meter backfill",
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("starts_at__isnull", True),
                            ("ends_at__isnull", True),
                            ("starts_at__lt", models.F("ends_at")),
                            _connector="OR",
                        ),
                        name="usage_meter_backfill_has_a_range",
                        violation_error_message="The end lies after the start; it is not part of the range.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["queued", "running"])),
                        fields=("meter",),
                        name="usage_meter_backfill_one_at_a_time",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="usagebackfill",
            constraint=models.CheckConstraint(
                condition=models.Q(("starts_at__lt", models.F("ends_at"))),
                name="usage_backfill_has_a_range",
                violation_error_message="The end lies after the start; it is not part of the range.",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagebackfill",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="usage_backfill_has_a_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="usagebackfill",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("ended_at__isnull", True), ("status", "open")),
                    models.Q(("closed_at__isnull", False), ("ended_at__isnull", True), ("status", "closed")),
                    models.Q(
                        ("closed_at__isnull", False), ("ended_at__isnull", False), ("status", "reverted")
                    ),
                    models.Q(
                        ("closed_at__isnull", True), ("ended_at__isnull", False), ("status", "discarded")
                    ),
                    _connector="OR",
                ),
                name="usage_backfill_status_fits_its_instants",
            ),
        ),
        migrations.AddConstraint(
            model_name="backfillevent",
            constraint=models.UniqueConstraint(fields=("backfill", "key"), name="usage_backfill_id_once"),
        ),
        migrations.AddIndex(
            model_name="usagecorrection",
            index=models.Index(fields=["key"], name="usage_correction_key"),
        ),
        migrations.AddConstraint(
            model_name="usagecorrection",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("backfill__isnull", True), ("key__isnull", False), ("kind__in", ["void", "amend"])
                    ),
                    models.Q(
                        ("backfill__isnull", False),
                        ("key__isnull", True),
                        ("kind__in", ["backfill_closed", "backfill_reverted"]),
                    ),
                    _connector="OR",
                ),
                name="usage_correction_names_its_object",
            ),
        ),
        migrations.AddConstraint(
            model_name="usagecorrection",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="usage_correction_has_a_reason"
            ),
        ),
        migrations.AddConstraint(
            model_name="eventrevision",
            constraint=models.UniqueConstraint(fields=("root_key", "revision"), name="usage_revision_once"),
        ),
        migrations.AddConstraint(
            model_name="eventrevision",
            constraint=models.CheckConstraint(
                condition=models.Q(("revision__gte", 1)), name="usage_revision_from_one"
            ),
        ),
        migrations.RunSQL(VIEWS, FORMER_VIEW),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
