"""Since when teams are billed to their parents."""

import django.db.models.deletion
from django.db import migrations, models

# Numbers as ranges of one, so that no extension is needed.
CREATE = """
ALTER TABLE customers_teambilling ADD CONSTRAINT team_billing_once_at_a_time EXCLUDE USING gist (
    int8range(team_id, team_id, '[]') WITH &&, tstzrange(starts_at, ends_at) WITH &&
);
CREATE FUNCTION refuse_change_of_team_billing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - ARRAY['ends_at'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['ends_at'] THEN
        RAISE EXCEPTION 'of a team billing nothing but its end changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER customers_teambilling_only_ends BEFORE UPDATE ON customers_teambilling
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_team_billing();
"""
DROP = """
DROP TRIGGER customers_teambilling_only_ends ON customers_teambilling;
DROP FUNCTION refuse_change_of_team_billing();
ALTER TABLE customers_teambilling DROP CONSTRAINT team_billing_once_at_a_time;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_references_are_remembered"),
    ]

    operations = [
        migrations.CreateModel(
            name="TeamBilling",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(null=True)),
                (
                    "payer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="billed_teams",
                        to="customers.customer",
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="team_billings",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "ordering": ["starts_at", "id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_at__isnull", True), ("starts_at__lt", models.F("ends_at")), _connector="OR"
                        ),
                        name="team_billing_in_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("team", models.F("payer")), _negated=True),
                        name="team_billing_by_another",
                    ),
                ],
            },
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
