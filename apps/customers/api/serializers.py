"""Customers in and out."""

from rest_framework import serializers

from apps.core.api.fields import MetadataField, StrictSerializer
from apps.core.validators import validate_currency, validate_time_zone
from apps.customers.models import Customer, external_id_validator

ADDRESS = ("address_line1", "address_line2", "city", "postal_code", "region", "country", "tax_id")


class CustomerOutput(serializers.ModelSerializer[Customer]):
    id = serializers.CharField(source="public_id")
    # A field, not DRF's attribute of the same name.
    parent = serializers.CharField(  # type: ignore[assignment]
        source="parent.public_id", allow_null=True, default=None
    )
    metadata = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = Customer
        fields = [
            "id",
            "external_id",
            "name",
            "email",
            "parent",
            "currency",
            "time_zone",
            *ADDRESS,
            "metadata",
            "created_at",
        ]


class CustomerPatch(StrictSerializer):
    name = serializers.CharField(max_length=200, required=False)
    email = serializers.EmailField(required=False, allow_blank=True)
    address_line1 = serializers.CharField(max_length=200, required=False, allow_blank=True)
    address_line2 = serializers.CharField(max_length=200, required=False, allow_blank=True)
    city = serializers.CharField(max_length=100, required=False, allow_blank=True)
    postal_code = serializers.CharField(max_length=20, required=False, allow_blank=True)
    region = serializers.CharField(max_length=100, required=False, allow_blank=True)
    country = serializers.RegexField(r"\A([A-Z]{2})?\Z", required=False, allow_blank=True)
    tax_id = serializers.CharField(max_length=40, required=False, allow_blank=True)
    # A field, not DRF's attribute of the same name.
    parent = serializers.CharField(  # type: ignore[assignment]
        required=False,
        allow_null=True,
        help_text="The organization that the customer is a team of, by either id. It pays for the team only when the"
        " team is billed to it.",
    )
    metadata = MetadataField(required=False)


class CustomerInput(CustomerPatch):
    external_id = serializers.CharField(max_length=127, validators=[external_id_validator])
    name = serializers.CharField(max_length=200)
    currency = serializers.CharField(max_length=3, default="USD", validators=[validate_currency])
    time_zone = serializers.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
