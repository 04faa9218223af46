"""One-off charges: nothing of one changes but that it is withdrawn."""

import django.db.models.deletion
from django.db import migrations, models

import apps.core.clock
import apps.core.fields

CREATE = """
CREATE FUNCTION refuse_change_of_one_off_charge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.withdrawn_at IS NOT NULL
       OR to_jsonb(NEW) - ARRAY['withdrawn_at'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['withdrawn_at'] THEN
        RAISE EXCEPTION 'one-off charge % can''t be changed; withdraw it, or charge the difference', OLD.public_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER invoices_oneoffcharge_is_frozen BEFORE UPDATE OR DELETE ON invoices_oneoffcharge
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_one_off_charge();
"""
DROP = """
DROP TRIGGER invoices_oneoffcharge_is_frozen ON invoices_oneoffcharge;
DROP FUNCTION refuse_change_of_one_off_charge();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0012_add_ons"),
        ("invoices", "0013_team_shares"),
        ("subscriptions", "0009_add_ons"),
    ]

    operations = [
        migrations.AlterField(
            model_name="invoice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("cycle", "End of a period"),
                    ("opening", "Start of the subscription"),
                    ("one_off", "One-off charge"),
                ],
                default="cycle",
                max_length=8,
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
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="invoiceline",
            name="price",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoice_lines",
                to="catalog.price",
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
                ],
                max_length=8,
            ),
        ),
        migrations.CreateModel(
            name="OneOffCharge",
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
                ("description", models.CharField(max_length=250)),
                ("quantity", apps.core.fields.QuantityField(decimal_places=18, max_digits=60)),
                ("unit_amount", apps.core.fields.RateField(decimal_places=18, max_digits=48)),
                ("currency", models.CharField(max_length=3)),
                ("amount", apps.core.fields.AmountField(decimal_places=4, max_digits=28)),
                ("charged_at", models.DateTimeField()),
                ("is_billed_at_once", models.BooleanField(default=False)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="one_off_charges",
                        to="subscriptions.subscription",
                    ),
                ),
            ],
            options={
                "ordering": ["charged_at", "id"],
            },
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="one_off",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="invoice_lines",
                to="invoices.oneoffcharge",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.UniqueConstraint(
                fields=("invoice", "one_off"), name="invoice_line_one_off_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "charge"), ("one_off__isnull", False), ("price__isnull", True)),
                    models.Q(
                        models.Q(("kind", "charge"), _negated=True),
                        ("one_off__isnull", True),
                        ("price__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="invoice_line_price_or_one_off",
            ),
        ),
        migrations.AddIndex(
            model_name="oneoffcharge",
            index=models.Index(
                condition=models.Q(("withdrawn_at__isnull", True)),
                fields=["subscription", "charged_at"],
                name="one_off_charge_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="oneoffcharge",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_billed_at_once", True)),
                fields=("subscription", "charged_at"),
                name="one_off_charge_own_invoice_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="oneoffcharge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("quantity__gt", 0),
                    models.Q(("amount", 0), _negated=True),
                    models.Q(("description", ""), _negated=True),
                ),
                name="one_off_charge_is_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="oneoffcharge",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_billed_at_once", False), ("amount__gt", 0), _connector="OR"),
                name="one_off_charge_no_own_credit",
            ),
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
