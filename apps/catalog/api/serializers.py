"""Meters, plans and prices in and out."""

from rest_framework import serializers

from apps.catalog.models import Meter, Plan, PlanVersion, Price
from apps.catalog.models.meter import MAX_DIMENSIONS
from apps.core.api.fields import PlainDecimalField, StrictSerializer
from apps.core.validators import code_validator, validate_currency


class MeterOutput(serializers.ModelSerializer[Meter]):
    class Meta:
        model = Meter
        fields = [
            "code",
            "name",
            "event_name",
            "aggregation",
            "value_property",
            "dimensions",
            "unit",
            "created_at",
            "archived_at",
        ]


class MeterInput(StrictSerializer):
    code = serializers.CharField(max_length=63, validators=[code_validator])
    name = serializers.CharField(max_length=120)
    event_name = serializers.CharField(max_length=127)
    aggregation = serializers.ChoiceField(Meter.Aggregation.choices)
    value_property = serializers.CharField(max_length=127, required=False, allow_blank=True)
    dimensions = serializers.ListField(
        child=serializers.CharField(max_length=127), required=False, max_length=MAX_DIMENSIONS
    )
    unit = serializers.CharField(max_length=40, default="unit")


class PriceOutput(serializers.ModelSerializer[Price]):
    meter = serializers.CharField(source="meter.code", allow_null=True, default=None)
    unit_amount = PlainDecimalField(allow_null=True)
    flat_amount = PlainDecimalField(allow_null=True)

    class Meta:
        model = Price
        fields = ["code", "name", "model", "meter", "unit_amount", "flat_amount"]


class PriceInput(StrictSerializer):
    code = serializers.CharField(max_length=63, validators=[code_validator])
    name = serializers.CharField(max_length=120)
    model = serializers.ChoiceField(Price.Model.choices)
    meter = serializers.CharField(required=False, default="")
    unit_amount = PlainDecimalField(required=False, allow_null=True, min_value=0)
    flat_amount = PlainDecimalField(required=False, allow_null=True, min_value=0)


class PlanVersionInput(StrictSerializer):
    currency = serializers.CharField(max_length=3, default="USD", validators=[validate_currency])
    prices = PriceInput(many=True)


class PlanInput(PlanVersionInput):
    code = serializers.CharField(max_length=63, validators=[code_validator])
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True)


class PlanVersionOutput(serializers.ModelSerializer[PlanVersion]):
    plan = serializers.CharField(source="plan.code")
    prices = PriceOutput(many=True)

    class Meta:
        model = PlanVersion
        fields = ["plan", "number", "status", "currency", "prices", "created_at", "published_at"]


class PlanOutput(serializers.ModelSerializer[Plan]):
    versions = PlanVersionOutput(many=True)

    class Meta:
        model = Plan
        fields = ["code", "name", "description", "versions", "created_at"]
