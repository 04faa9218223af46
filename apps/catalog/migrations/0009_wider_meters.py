"""Meters with more aggregations, expressions, filters and a state; display units; when to warn of many dimension sets."""

from decimal import Decimal

import django.core.validators
import django.db.models.lookups
from django.db import migrations, models

import apps.core.fields


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0008_price_choices"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="meter",
            name="meter_value_property_fits_aggregation",
        ),
        migrations.AddField(
            model_name="meter",
            name="cardinality_warning_from",
            field=models.PositiveIntegerField(
                default=10000,
                help_text="So many different sets of dimension values in use: staff are warned before it gets slow.",
                validators=[django.core.validators.MinValueValidator(1)],
                verbose_name="warn from",
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="definition_version",
            field=models.PositiveIntegerField(default=1, editable=False),
        ),
        migrations.AddField(
            model_name="meter",
            name="display_unit",
            field=models.CharField(
                blank=True, help_text="What people read, when the unit is too small: M tokens.", max_length=40
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="display_unit_size",
            field=apps.core.fields.RateField(
                decimal_places=18,
                default=Decimal("1"),
                help_text="How many units are one of those: 1000000.",
                max_digits=48,
                validators=[django.core.validators.MinValueValidator(Decimal("1E-18"))],
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="filters",
            field=models.JSONField(
                blank=True, default=list, help_text="Only events for which all of them hold are counted."
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="status",
            field=models.CharField(
                choices=[("draft", "Draft"), ("active", "Active")], default="active", max_length=8
            ),
        ),
        migrations.AddField(
            model_name="meter",
            name="value_expression",
            field=models.CharField(
                blank=True,
                help_text="Instead of a property, a formula: input_tokens + 5 * output_tokens. Knows + - * /, min and max.",
                max_length=500,
            ),
        ),
        migrations.AlterField(
            model_name="meter",
            name="aggregation",
            field=models.CharField(
                choices=[
                    ("sum", "Sum"),
                    ("count", "Number of events"),
                    ("max", "Maximum"),
                    ("min", "Minimum"),
                    ("latest", "Latest"),
                    ("unique_count", "Number of different values"),
                    ("time_weighted_sum", "Time-weighted sum"),
                ],
                default="sum",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="meter",
            name="value_property",
            field=models.CharField(
                blank=True, help_text="The event's property that is read, e.g. input_tokens.", max_length=127
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("aggregation", "count"), ("value_expression", ""), ("value_property", "")),
                    models.Q(
                        ("aggregation", "unique_count"),
                        ("value_expression", ""),
                        models.Q(("value_property", ""), _negated=True),
                    ),
                    models.Q(
                        ("aggregation__in", ["sum", "max", "min", "latest", "time_weighted_sum"]),
                        models.Q(
                            models.Q(
                                ("value_property", ""), models.Q(("value_expression", ""), _negated=True)
                            ),
                            models.Q(
                                models.Q(("value_property", ""), _negated=True), ("value_expression", "")
                            ),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="meter_value_fits_aggregation",
                violation_error_message="A count reads nothing, a number of different values one property, and every other meter a property or an expression.",
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["draft", "active"])), name="meter_status"
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.Exact(
                    models.Func(
                        models.F("filters"), function="jsonb_typeof", output_field=models.CharField()
                    ),
                    "array",
                ),
                name="meter_filters_are_a_list",
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=models.Q(("dimensions__len__lte", 8)), name="meter_has_at_most_eight_dimensions"
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("display_unit_size__gt", 0),
                    models.Q(
                        models.Q(("display_unit", ""), _negated=True),
                        ("display_unit_size", 1),
                        _connector="OR",
                    ),
                ),
                name="meter_display_unit_has_a_size",
                violation_error_message="A size above zero belongs to a display unit, and only to one.",
            ),
        ),
        migrations.AddConstraint(
            model_name="meter",
            constraint=models.CheckConstraint(
                condition=models.Q(("cardinality_warning_from__gte", 1), ("definition_version__gte", 1)),
                name="meter_counts_from_one",
            ),
        ),
    ]
