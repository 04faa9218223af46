"""Meters in and out."""

from decimal import Decimal

from rest_framework import serializers

from apps.catalog.expression import MAX_LENGTH
from apps.catalog.measure import IN, MAX_DIMENSION, NOT_IN
from apps.catalog.models import Meter
from apps.catalog.models.meter import MAX_DIMENSIONS
from apps.catalog.services.meter_fields import MAX_FILTER_VALUES, MAX_FILTERS, MAX_PROPERTY
from apps.core.api.fields import PlainDecimalField, StrictSerializer
from apps.core.validators import code_validator

SMALLEST_SIZE = Decimal("0.000000000000000001")


class MeterFilter(StrictSerializer):
    """Which events count: those whose property, as text, is among the values, or is not. Absent is the empty text."""

    property = serializers.CharField(max_length=MAX_PROPERTY, trim_whitespace=False)
    operator = serializers.ChoiceField([IN, NOT_IN])
    values = serializers.ListField(
        child=serializers.CharField(max_length=MAX_DIMENSION, allow_blank=True, trim_whitespace=False),
        allow_empty=False,
        max_length=MAX_FILTER_VALUES,
    )


class MeterOutput(serializers.ModelSerializer[Meter]):
    filters = MeterFilter(many=True)
    display_unit_size = PlainDecimalField(max_digits=48)

    class Meta:
        model = Meter
        fields = [
            "code",
            "name",
            "status",
            "event_name",
            "aggregation",
            "value_property",
            "value_expression",
            "filters",
            "dimensions",
            "definition_version",
            "unit",
            "display_unit",
            "display_unit_size",
            "cardinality_warning_from",
            "created_at",
            "archived_at",
        ]


class MeterPatch(StrictSerializer):
    """How a meter is called and shown may change at any time, what it measures only while it is a draft."""

    name = serializers.CharField(max_length=120)
    event_name = serializers.CharField(max_length=127)
    aggregation = serializers.ChoiceField(Meter.Aggregation.choices)
    value_property = serializers.CharField(
        max_length=MAX_PROPERTY,
        required=False,
        allow_blank=True,
        help_text="The property that is read. A count has none; others have it or an expression.",
    )
    value_expression = serializers.CharField(
        max_length=MAX_LENGTH,
        required=False,
        allow_blank=True,
        help_text="`input_tokens + 5 * output_tokens`: + - * /, parentheses, min and max. Absent properties count "
        "as 0 as long as one is there.",
    )
    filters = serializers.ListField(
        child=MeterFilter(), required=False, max_length=MAX_FILTERS, help_text="All of them must hold."
    )
    dimensions = serializers.ListField(
        child=serializers.CharField(max_length=127), required=False, max_length=MAX_DIMENSIONS
    )
    unit = serializers.CharField(max_length=40, default="unit")
    display_unit = serializers.CharField(max_length=40, required=False, allow_blank=True)
    display_unit_size = PlainDecimalField(
        max_digits=48,
        min_value=SMALLEST_SIZE,
        required=False,
        help_text="How many units make one display unit: 1000000.",
    )
    cardinality_warning_from = serializers.IntegerField(
        min_value=1,
        max_value=2_147_483_647,
        required=False,
        help_text="Staff are warned from so many different sets of dimension values on.",
    )


class MeterInput(MeterPatch):
    code = serializers.CharField(max_length=63, validators=[code_validator])
    status = serializers.ChoiceField(
        Meter.Status.choices,
        required=False,
        help_text="A draft counts, and what it measures may still change; prices are published for active ones.",
    )
