"""Add-ons of subscriptions: of one plan no two at one time."""

import django.db.models.deletion
from django.db import migrations, models

# A range of one number stands for the number: only ranges are told apart by an index that comes with PostgreSQL.
CREATE = """
ALTER TABLE subscriptions_subscriptionaddon
    ADD CONSTRAINT subscription_add_on_once_at_a_time EXCLUDE USING gist (
        int8range(subscription_id, subscription_id, '[]') WITH &&,
        int8range(plan_id, plan_id, '[]') WITH &&,
        tstzrange(starts_at, ends_at) WITH &&
    ),
    ADD CONSTRAINT subscription_add_on_version_of_plan
        FOREIGN KEY (plan_version_id, plan_id) REFERENCES catalog_planversion (id, plan_id)
        DEFERRABLE INITIALLY DEFERRED;
"""
DROP = """
ALTER TABLE subscriptions_subscriptionaddon
    DROP CONSTRAINT subscription_add_on_once_at_a_time, DROP CONSTRAINT subscription_add_on_version_of_plan;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0012_add_ons"),
        ("subscriptions", "0008_resumes_as"),
    ]

    operations = [
        migrations.CreateModel(
            name="SubscriptionAddOn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quantity", models.PositiveIntegerField(default=1)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(null=True)),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attached",
                        to="catalog.plan",
                    ),
                ),
                (
                    "plan_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attached",
                        to="catalog.planversion",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="add_ons",
                        to="subscriptions.subscription",
                    ),
                ),
            ],
            options={
                "ordering": ["plan_id", "starts_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__isnull", True), ("starts_at__lt", models.F("ends_at")), _connector="OR"
                        ),
                        name="subscription_add_on_in_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("quantity__gte", 1)), name="subscription_add_on_quantity"
                    ),
                ],
            },
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
