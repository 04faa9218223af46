"""When the opening of a subscription was billed. Filled by invoices 0011, which knows the invoices."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0006_terms")]
    operations = [
        migrations.AddField(
            model_name="subscription",
            name="opened_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
