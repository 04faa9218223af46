"""The former seller goes from the settings, and the states hold each other."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0007_first_legal_entity")]

    operations = [
        migrations.RemoveConstraint(
            model_name="invoice",
            name="invoice_number_fits_status",
        ),
        migrations.RemoveField(
            model_name="billingsettings",
            name="address",
        ),
        migrations.RemoveField(
            model_name="billingsettings",
            name="legal_name",
        ),
        migrations.RemoveField(
            model_name="billingsettings",
            name="number_prefix",
        ),
        migrations.RemoveField(
            model_name="billingsettings",
            name="payment_due_days",
        ),
        migrations.RemoveField(
            model_name="billingsettings",
            name="tax_id",
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finalized_at__isnull", True), ("number__isnull", True), ("status", "draft")),
                    models.Q(
                        models.Q(("status", "draft"), _negated=True),
                        ("finalized_at__isnull", False),
                        ("number__isnull", False),
                    ),
                    models.Q(
                        ("finalized_at__isnull", False),
                        ("number__isnull", True),
                        ("payment_status", "nothing_owed"),
                        ("status", "paid"),
                        ("total", 0),
                    ),
                    _connector="OR",
                ),
                name="invoice_number_fits_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payment_status__in", ["paid", "nothing_owed"]), ("status", "paid")),
                    models.Q(
                        models.Q(("status", "paid"), _negated=True),
                        ("payment_status__in", ["unpaid", "processing", "failed"]),
                    ),
                    _connector="OR",
                ),
                name="invoice_payment_fits_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["draft", "open"]), ("status_changed_at__isnull", False), _connector="OR"
                ),
                name="invoice_end_has_instant",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("parked_at__isnull", True), ("status", "draft"), _connector="OR"),
                name="invoice_parked_is_draft",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceseries",
            constraint=models.UniqueConstraint(fields=("legal_entity", "year"), name="invoice_series_once"),
        ),
        migrations.AlterField(
            model_name="invoiceseries",
            name="legal_entity",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="series", to="invoices.legalentity"
            ),
        ),
    ]
