"""Plans, prices and what they refer to, in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.catalog.definitions import definition_document
from apps.catalog.models import Feature, Meter, Plan, PlanVersion, Price, PriceBook, Product
from apps.catalog.models.plan import TERMS
from apps.catalog.services.plans import NewPrice
from apps.catalog.services.versions import Existing
from apps.core.api.fields import NoUnknownFields, StepOutput, StrictSerializer
from apps.core.validators import code_validator, validate_currency


class PriceOutput(serializers.Serializer[Price]):
    """A price: what names and places it, then its definition as POST /prices/preview takes it."""

    code = serializers.CharField()
    name = serializers.CharField()
    model = serializers.ChoiceField(Price.Model.choices)
    meter = serializers.CharField(allow_null=True)
    billing_timing = serializers.ChoiceField(Price.Timing.choices)
    filters = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    unit_amount = serializers.CharField(allow_null=True)
    flat_amount = serializers.CharField(allow_null=True)
    tiers = serializers.ListField(child=serializers.DictField(), required=False)

    def to_representation(self, instance: Price) -> dict[str, Any]:
        document = {
            "code": instance.code,
            "name": instance.name,
            "meter": instance.meter.code if instance.meter else None,
            "billing_timing": instance.billing_timing,
            "filters": {one.dimension: one.values for one in instance.filters.all()},
            # The two that most prices have are always there.
            "unit_amount": None,
            "flat_amount": None,
            **definition_document(instance),
        }
        if instance.is_per_seat:
            document["is_per_seat"] = True
        if instance.unit_amount_property:
            document["unit_amount_property"] = instance.unit_amount_property
        return document


class PriceInput(serializers.Serializer[Any]):
    """What names and places a price. Every other field is part of its definition and is read by rating."""

    code = serializers.CharField(max_length=63, validators=[code_validator])
    name = serializers.CharField(max_length=120)
    model = serializers.ChoiceField(Price.Model.choices)
    meter = serializers.CharField(
        required=False, allow_null=True, help_text="A meter's code; none for a flat fee."
    )
    billing_timing = serializers.ChoiceField(Price.Timing.choices, required=False)
    unit_amount_property = serializers.CharField(max_length=127, required=False)
    is_per_seat = serializers.BooleanField(
        required=False, help_text="A flat fee for each seat of the subscription."
    )
    filters = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=255), allow_empty=False),
        required=False,
    )

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError({"non_field_errors": ["A price is an object."]})
        placed = super().to_internal_value(
            {name: value for name, value in data.items() if name in self.fields}
        )
        more = {name: value for name, value in data.items() if name not in self.fields}
        return NewPrice(
            code=placed["code"],
            name=placed["name"],
            model=placed["model"],
            meter=placed.get("meter") or "",
            billing_timing=placed.get("billing_timing") or Price.Timing.ARREARS,
            unit_amount_property=placed.get("unit_amount_property") or "",
            filters=placed.get("filters") or {},
            is_per_seat=placed.get("is_per_seat") or False,
            more=more,
        )


class PlanVersionInput(StrictSerializer):
    price_book = serializers.SlugRelatedField(
        slug_field="code", queryset=PriceBook.objects.all(), required=False, allow_null=True
    )
    currency = serializers.CharField(max_length=3, default="USD", validators=[validate_currency])
    interval_unit = serializers.ChoiceField(
        PlanVersion.Unit.choices, required=False, help_text="Fees are asked for every so many of these."
    )
    interval_count = serializers.IntegerField(required=False, help_text="3 months are a quarter, 12 a year.")
    usage_interval_unit = serializers.ChoiceField(
        PlanVersion.Unit.choices, required=False, allow_blank=True, help_text="Empty: as the fees."
    )
    usage_interval_count = serializers.IntegerField(required=False, allow_null=True)
    proration = serializers.ChoiceField(PlanVersion.Proration.choices, required=False)
    trial_days = serializers.IntegerField(required=False)
    trial_covers = serializers.ChoiceField(PlanVersion.TrialCovers.choices, required=False)
    prices = PriceInput(many=True)


class PlanInput(PlanVersionInput):
    kind = serializers.ChoiceField(
        Plan.Kind.choices,
        required=False,
        help_text="An add-on is attached to subscriptions beside their plan. It has flat fees only, and no terms but "
        "the interval of its fees.",
    )
    code = serializers.CharField(max_length=63, validators=[code_validator])
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True)
    product = serializers.SlugRelatedField(
        slug_field="code", queryset=Product.objects.all(), required=False, allow_null=True
    )


class PlanPatch(StrictSerializer):
    """A plan's code stays, and its prices are its versions'."""

    name = serializers.CharField(max_length=120, required=False)
    description = serializers.CharField(required=False, allow_blank=True)
    product = serializers.SlugRelatedField(
        slug_field="code", queryset=Product.objects.all(), required=False, allow_null=True
    )


class PublishInput(StrictSerializer):
    existing = serializers.ChoiceField(
        Existing.choices, default=Existing.KEEP, help_text="What becomes of those on older versions."
    )


class PlanVersionOutput(serializers.ModelSerializer[PlanVersion]):
    plan = serializers.CharField(source="plan.code")
    price_book = serializers.CharField(source="price_book.code", allow_null=True, default=None)
    prices = PriceOutput(many=True)

    class Meta:
        model = PlanVersion
        fields = [
            "plan",
            "number",
            "status",
            "currency",
            "price_book",
            "is_negotiated",
            *TERMS,
            "prices",
            "created_at",
            "published_at",
        ]


class PlanOutput(serializers.ModelSerializer[Plan]):
    product = serializers.CharField(source="product.code", allow_null=True, default=None)
    versions = PlanVersionOutput(many=True)

    class Meta:
        model = Plan
        fields = ["code", "kind", "name", "description", "product", "versions", "created_at"]


class ProductSerializer(NoUnknownFields, serializers.ModelSerializer[Product]):
    class Meta:
        model = Product
        fields = ["code", "name", "description", "created_at"]
        read_only_fields = ["created_at"]


class FeatureSerializer(NoUnknownFields, serializers.ModelSerializer[Feature]):
    meter = serializers.SlugRelatedField(
        slug_field="code", queryset=Meter.objects.all(), required=False, allow_null=True
    )

    class Meta:
        model = Feature
        fields = ["code", "name", "description", "meter", "created_at"]
        read_only_fields = ["created_at"]


class PriceBookSerializer(NoUnknownFields, serializers.ModelSerializer[PriceBook]):
    class Meta:
        model = PriceBook
        fields = ["code", "name", "storefront", "region", "currency"]


@extend_schema_field({"type": "string", "example": "1500"})
class ForRating(serializers.Field[Any, Any, Any, Any]):
    """Passed on as it is, null included: `apps.rating` reads it, and lists all that is wrong at once."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "object", "additionalProperties": True})
class ObjectForRating(ForRating):
    pass


@extend_schema_field({"type": "array", "items": {"type": "object", "additionalProperties": True}})
class ListForRating(ForRating):
    pass


class PreviewInput(StrictSerializer):
    """Either `price` with its quantity, or `plan` with quantities by meter."""

    currency = ForRating(help_text="ISO 4217, like USD.")
    quantity = ForRating(help_text="A decimal string.")
    event_count = ForRating()
    events = ListForRating()
    already_billed = ObjectForRating()
    price = ObjectForRating(help_text="model and its fields, as in a plan's prices.")
    plan = serializers.CharField(required=False)
    version = serializers.IntegerField(required=False, min_value=1)
    quantities = ObjectForRating(help_text="By a meter's or a price's code: decimal strings.")


class PreviewOutput(serializers.Serializer[Any]):
    amount = serializers.CharField()
    unrounded_amount = serializers.CharField(required=False)
    currency = serializers.CharField()
    steps = StepOutput(many=True, required=False)
