"""A kind of invoice for usage that came after the last one of a subscription that has ended."""

from django.db import migrations, models

KINDS = [
    ("cycle", "End of a period"),
    ("opening", "Start of the subscription"),
    ("one_off", "One-off charge"),
    ("threshold", "Threshold reached"),
    ("late", "Late usage after the end"),
]


class Migration(migrations.Migration):
    dependencies = [("invoices", "0015_thresholds")]

    operations = [
        migrations.AlterField(
            model_name="invoice",
            name="kind",
            field=models.CharField(choices=KINDS, default="cycle", max_length=10),
        ),
        migrations.AlterField(
            model_name="parkedsubscription",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=10),
        ),
    ]
