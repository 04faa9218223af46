"""Serializer fields shared by the apps' APIs."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from apps.core.text import is_storable
from apps.rating import plain

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class PlainDecimalField(serializers.DecimalField):
    """A decimal string. In: a string or a JSON number (never seen as a float). Out: no exponent, no padding."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 38)
        kwargs.setdefault("decimal_places", 18)
        super().__init__(**kwargs)

    def to_representation(self, value: Decimal) -> str:
        return plain(value)


class InstantField(serializers.DateTimeField):
    """An instant between the years 2000 and 2200: what calendars and time zones can compute with."""

    def to_internal_value(self, value: Any) -> datetime:
        instant = super().to_internal_value(value)
        if not EARLIEST <= instant < LATEST:
            raise serializers.ValidationError(
                "The instant lies outside the years 2000 to 2199.", code="out_of_range"
            )
        return instant


class MetadataField(serializers.JSONField):
    """A flat object of texts that belongs to the integrator."""

    def to_internal_value(self, data: Any) -> Any:
        limit = 50
        if not isinstance(data, dict) or len(data) > limit:
            raise serializers.ValidationError(f"metadata is an object of at most {limit} texts.")
        for name, text in data.items():
            if not isinstance(text, str) or not is_storable(text) or not is_storable(name):
                raise serializers.ValidationError(["Names and values of metadata are texts without NUL."])
        return data


class NoUnknownFields:
    """Refuses fields it does not know: a misspelt optional field must not be ignored in silence."""

    def to_internal_value(self: Any, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(
                {
                    name: [serializers.ErrorDetail("There is no such field.", code="unknown_field")]
                    for name in unknown
                }
            )
        return super().to_internal_value(data)  # type: ignore[misc]


class StrictSerializer(NoUnknownFields, serializers.Serializer[Any]):
    pass


class StepOutput(serializers.Serializer[Any]):
    """A row of the explanation. The amounts of a line's rows add up to its unrounded amount."""

    kind = serializers.CharField()
    description = serializers.CharField()
    quantity = serializers.CharField(required=False)
    unit_amount = serializers.CharField(required=False)
    flat_amount = serializers.CharField(required=False)
    rate = serializers.CharField(required=False)
    amount = serializers.CharField(required=False)
