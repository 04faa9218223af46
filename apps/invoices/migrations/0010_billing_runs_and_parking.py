"""Runs of closing, and the queue of subscriptions that can't be billed."""

import django.db.models.deletion
from django.db import migrations, models

import apps.core.fields


class Migration(migrations.Migration):
    dependencies = [("invoices", "0009_transitions"), ("subscriptions", "0006_terms")]

    operations = [
        migrations.CreateModel(
            name="BillingRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("opening", "Openings"), ("closing", "Periods")], max_length=8),
                ),
                ("due_until_at", models.DateTimeField()),
                ("started_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("started_by", models.CharField(blank=True, max_length=254)),
                ("due_count", models.PositiveIntegerField()),
                ("billed_count", models.PositiveIntegerField(default=0)),
                ("parked_count", models.PositiveIntegerField(default=0)),
                (
                    "subscription",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="billing_runs",
                        to="subscriptions.subscription",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["opening", "closing"])), name="billing_run_kind"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BillingRunAmount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("amount", apps.core.fields.AmountField(decimal_places=4, max_digits=28)),
                ("invoice_count", models.PositiveIntegerField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="amounts",
                        to="invoices.billingrun",
                    ),
                ),
            ],
            options={
                "ordering": ["currency"],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "currency"), name="billing_run_amount_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ParkedSubscription",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("cycle", "End of a period"), ("opening", "Start of the subscription")],
                        max_length=8,
                    ),
                ),
                ("period_start", models.DateTimeField()),
                ("period_end", models.DateTimeField()),
                ("code", models.CharField(max_length=80)),
                ("message", models.CharField(max_length=1000)),
                ("parked_at", models.DateTimeField()),
                ("tries", models.PositiveIntegerField(default=1)),
                ("released_at", models.DateTimeField(null=True)),
                ("release_reason", models.TextField(blank=True)),
                (
                    "run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parkings",
                        to="invoices.billingrun",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parkings",
                        to="subscriptions.subscription",
                    ),
                ),
            ],
            options={
                "ordering": ["parked_at", "id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("released_at__isnull", True)),
                        fields=["parked_at"],
                        name="parked_subscription_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("released_at__isnull", True)),
                        fields=("subscription",),
                        name="parked_subscription_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("released_at__isnull", True),
                            models.Q(("release_reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="parked_subscription_release_has_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period_start__lt", models.F("period_end"))),
                        name="parked_subscription_period_in_order",
                    ),
                ],
            },
        ),
    ]
