"""What a pause stands in for, so that a trial that is paused is a trial again afterwards."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0007_opened_at")]
    operations = [
        migrations.AddField(
            model_name="subscriptionphase",
            name="resumes_as",
            field=models.CharField(
                blank=True,
                choices=[
                    ("billed", "Billed"),
                    ("trial_fees", "Trial: fees are free"),
                    ("trial_all", "Trial: everything is free"),
                    ("paused", "Paused"),
                ],
                default="",
                max_length=10,
            ),
        ),
    ]
