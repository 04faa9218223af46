"""Invoices of thresholds, what they charge ahead, and their runs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0003_team_billing"),
        ("invoices", "0014_one_off_charges"),
        ("subscriptions", "0010_thresholds"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="billingrun",
            name="billing_run_kind",
        ),
        migrations.RemoveConstraint(
            model_name="invoice",
            name="invoice_period_billed_once",
        ),
        migrations.AlterField(
            model_name="billingrun",
            name="kind",
            field=models.CharField(
                choices=[("opening", "Openings"), ("closing", "Periods"), ("thresholds", "Thresholds")],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("cycle", "End of a period"),
                    ("opening", "Start of the subscription"),
                    ("one_off", "One-off charge"),
                    ("threshold", "Threshold reached"),
                ],
                default="cycle",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="kind",
            field=models.CharField(
                choices=[
                    ("flat", "Fee"),
                    ("usage", "Usage"),
                    ("adjustment", "Late usage"),
                    ("credit", "Credit"),
                    ("charge", "One-off charge"),
                    ("billed_ahead", "Billed ahead"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="parkedsubscription",
            name="kind",
            field=models.CharField(
                choices=[
                    ("cycle", "End of a period"),
                    ("opening", "Start of the subscription"),
                    ("one_off", "One-off charge"),
                    ("threshold", "Threshold reached"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="billingrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["opening", "closing", "thresholds"])),
                name="billing_run_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("status", "void"), _negated=True),
                    models.Q(("kind", "threshold"), _negated=True),
                ),
                fields=("subscription", "kind", "period_start"),
                name="invoice_period_billed_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=models.Q(models.Q(("status", "void"), _negated=True), ("kind", "threshold")),
                fields=("subscription", "period_start", "period_end"),
                name="invoice_threshold_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "threshold"), ("status", "draft")),
                fields=("subscription", "period_start"),
                name="invoice_threshold_one_draft",
            ),
        ),
    ]
