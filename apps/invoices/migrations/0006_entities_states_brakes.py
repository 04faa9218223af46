"""Legal entities, what becomes of an invoice, and brakes: columns and tables, before rows are moved."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import apps.core.clock
import apps.core.fields


class Migration(migrations.Migration):
    dependencies = [("customers", "0002_references_are_remembered"), ("invoices", "0005_unpriced_usage")]

    operations = [
        migrations.CreateModel(
            name="CustomerTerms",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "payment_due_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Empty: the entity's.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(365)],
                    ),
                ),
                (
                    "purchase_order_number",
                    models.CharField(
                        blank=True,
                        help_text="Stands on every invoice that has none of its own.",
                        max_length=80,
                    ),
                ),
                ("memo", models.TextField(blank=True, help_text="Empty: the entity's.", max_length=1000)),
            ],
            options={
                "verbose_name": "invoice terms",
                "verbose_name_plural": "invoice terms",
            },
        ),
        migrations.CreateModel(
            name="LegalEntity",
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
                ("name", models.CharField(max_length=200)),
                (
                    "address",
                    models.TextField(blank=True, help_text="As it stands on the invoice, one line a row."),
                ),
                (
                    "country",
                    models.CharField(
                        blank=True,
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Z]{2}\\Z", "Write the country's ISO 3166 code, like DE or US."
                            )
                        ],
                    ),
                ),
                (
                    "tax_ids",
                    models.TextField(
                        blank=True,
                        help_text="As they stand on the invoice, one a row.",
                        verbose_name="tax IDs",
                    ),
                ),
                (
                    "number_prefix",
                    models.CharField(
                        help_text="Invoice numbers read PREFIX-year-000001. Each entity has a prefix of its own.",
                        max_length=12,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[A-Z0-9]{1,12}\\Z", "Use 1 to 12 capital letters and digits."
                            )
                        ],
                    ),
                ),
                (
                    "payment_due_days",
                    models.PositiveSmallIntegerField(
                        default=14,
                        help_text="Unless the customer has other terms.",
                        validators=[django.core.validators.MaxValueValidator(365)],
                    ),
                ),
                (
                    "memo",
                    models.TextField(
                        blank=True,
                        help_text="Stands on every invoice that has no memo of its own.",
                        max_length=1000,
                    ),
                ),
                (
                    "is_default",
                    models.BooleanField(
                        default=False,
                        help_text="Issues the invoices of customers that name no other entity.",
                        verbose_name="default",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "legal entities",
                "ordering": ["-is_default", "name", "id"],
            },
        ),
        migrations.CreateModel(
            name="ParkReason",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "brake",
                    models.CharField(
                        choices=[
                            ("negative_total", "Negative total"),
                            ("many_lines", "Many lines"),
                            ("large_total", "Unusually large total"),
                            ("usage_gone", "Usage fell to zero"),
                            ("quarantine", "Usage in quarantine"),
                            ("unpriced", "Usage that no price takes"),
                            ("double_charge", "Charged twice"),
                        ],
                        max_length=16,
                    ),
                ),
                ("words", models.CharField(max_length=500)),
                ("measure", apps.core.fields.QuantityField(decimal_places=18, max_digits=60)),
                ("found_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(null=True)),
                (
                    "released_measure",
                    apps.core.fields.QuantityField(decimal_places=18, max_digits=60, null=True),
                ),
                ("release_reason", models.TextField(blank=True)),
            ],
            options={
                "ordering": ["found_at", "id"],
            },
        ),
        migrations.AlterModelOptions(
            name="invoiceseries",
            options={"verbose_name_plural": "invoice series"},
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="brake_on_double_charge",
            field=models.BooleanField(default=True, verbose_name="two charges for one price and time"),
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="brake_on_lines_above",
            field=models.PositiveIntegerField(
                blank=True,
                default=500,
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
                verbose_name="more lines than",
            ),
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="brake_on_negative_total",
            field=models.BooleanField(default=True, verbose_name="negative total"),
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="brake_on_quarantine",
            field=models.BooleanField(default=True, verbose_name="usage in quarantine"),
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="brake_on_total_factor",
            field=models.DecimalField(
                blank=True,
                decimal_places=2,
                default=Decimal("10"),
                help_text="Of the customer's last six invoices in the currency.",
                max_digits=6,
                null=True,
                validators=[django.core.validators.MinValueValidator(Decimal("1"))],
                verbose_name="total more than this many times the mean",
            ),
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="brake_on_total_invoices",
            field=models.PositiveSmallIntegerField(
                default=3,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(6),
                ],
                verbose_name="once there are so many of them",
            ),
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="brake_on_unpriced",
            field=models.BooleanField(default=True, verbose_name="usage that no price takes"),
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="brake_on_usage_gone",
            field=models.BooleanField(
                default=True,
                help_text="Of a meter with usage on the invoice before.",
                verbose_name="usage that fell to zero",
            ),
        ),
        migrations.AddField(
            model_name="billingsettings",
            name="zero_invoices",
            field=models.CharField(
                choices=[
                    ("issue", "Issue them with a number"),
                    ("nothing_owed", "Finish them without a number: nothing owed"),
                ],
                default="issue",
                help_text="Invoices all of whose lines are zero.",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="memo",
            field=models.TextField(blank=True, max_length=1000),
        ),
        migrations.AddField(
            model_name="invoice",
            name="parked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="invoice",
            name="payment_reference",
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name="invoice",
            name="payment_status",
            field=models.CharField(
                choices=[
                    ("unpaid", "Unpaid"),
                    ("processing", "Processing"),
                    ("paid", "Paid"),
                    ("failed", "Failed"),
                    ("nothing_owed", "Nothing owed"),
                ],
                default="unpaid",
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="purchase_order_number",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="invoice",
            name="reissue_of",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reissued_as",
                to="invoices.invoice",
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="status_changed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="invoice",
            name="status_reason",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="invoice",
            name="seller_tax_id",
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name="invoiceseries",
            name="year",
            field=models.PositiveSmallIntegerField(),
        ),
        migrations.AddConstraint(
            model_name="billingsettings",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("brake_on_total_factor__isnull", True),
                    ("brake_on_total_factor__gte", 1),
                    _connector="OR",
                ),
                name="brake_factor_at_least_one",
            ),
        ),
        migrations.AddField(
            model_name="customerterms",
            name="customer",
            field=models.OneToOneField(
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="terms",
                to="customers.customer",
            ),
        ),
        migrations.AddConstraint(
            model_name="legalentity",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)),
                fields=("is_default",),
                name="legal_entity_one_default",
            ),
        ),
        migrations.AddConstraint(
            model_name="legalentity",
            constraint=models.CheckConstraint(
                condition=models.Q(("payment_due_days__lte", 365)),
                name="legal_entity_due_days_at_most_a_year",
            ),
        ),
        migrations.AddField(
            model_name="customerterms",
            name="legal_entity",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: the default entity.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="terms",
                to="invoices.legalentity",
            ),
        ),
        migrations.AddField(
            model_name="invoice",
            name="legal_entity",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoices",
                to="invoices.legalentity",
            ),
        ),
        migrations.AddField(
            model_name="invoiceseries",
            name="legal_entity",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="series",
                to="invoices.legalentity",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("parked_at__isnull", False)), fields=["parked_at"], name="invoice_parked"
            ),
        ),
        migrations.AddField(
            model_name="parkreason",
            name="invoice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="park_reasons",
                to="invoices.invoice",
            ),
        ),
        migrations.AddConstraint(
            model_name="customerterms",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("payment_due_days__isnull", True), ("payment_due_days__lte", 365), _connector="OR"
                ),
                name="customer_due_days_at_most_a_year",
            ),
        ),
        migrations.AddConstraint(
            model_name="parkreason",
            constraint=models.UniqueConstraint(fields=("invoice", "brake"), name="park_reason_once"),
        ),
        migrations.AddConstraint(
            model_name="parkreason",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("released_at__isnull", True),
                    models.Q(("release_reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="park_release_has_reason",
            ),
        ),
    ]
