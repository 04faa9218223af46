"""What the usage endpoints take and give."""

from typing import Any

from rest_framework import serializers

from apps.core.api.fields import InstantField, NoUnknownFields, PlainDecimalField
from apps.core.text import is_storable
from apps.core.validators import validate_time_zone
from apps.usage.selectors.windows import FOLLOWING

MAX_NAMES = 100


def validate_storable(text: str) -> None:
    if not is_storable(text):
        raise serializers.ValidationError("Texts are without NUL and half surrogate pairs.")


class NameField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=255, validators=[validate_storable], **kwargs)


class PeriodQuery(serializers.Serializer[Any]):
    start = InstantField(required=False, help_text="RFC 3339.")
    end = InstantField(required=False, help_text="RFC 3339; exclusive.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("start" in attrs) != ("end" in attrs):
            raise serializers.ValidationError({"end": ["Give both start and end, or neither."]})
        if "start" in attrs and attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError(
                {"end": ["The end lies after the start; it is not part of the period."]}
            )
        return attrs


class UsageListParameters(PeriodQuery):
    """As they are described: `filter[…]` has no fixed name."""

    customer = NameField(help_text="The customer's external id or id.")
    include_children = serializers.BooleanField(
        default=False, help_text="The customers under it too, each in rows of its own."
    )
    meter = serializers.ListField(
        child=NameField(), max_length=MAX_NAMES, default=list, help_text="Codes. Default: all in use."
    )
    period = serializers.ChoiceField(
        ["current", "previous"],
        required=False,
        help_text="Instead of start and end: a calendar month in the customer's time zone. Default: current.",
    )
    window = serializers.ChoiceField(
        list(FOLLOWING), required=False, help_text="At most 1,500 windows. Default: the whole period."
    )
    time_zone = NameField(required=False, help_text="Of the windows. Default: the customer's.")
    group_by = serializers.ListField(
        child=NameField(), max_length=8, default=list, help_text="Names of dimensions."
    )
    format = serializers.ChoiceField(["json", "csv"], required=False)
    limit = serializers.IntegerField(
        min_value=1, max_value=1_500, default=100, help_text="Windows on a page. CSV has no pages."
    )
    cursor = NameField(required=False)

    def validate_time_zone(self, value: str) -> str:
        validate_time_zone(value)
        return value

    def validate_group_by(self, names: list[str]) -> list[str]:
        return list(dict.fromkeys(names))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "period" in attrs and "start" in attrs:
            raise serializers.ValidationError({"period": ["Give a period, or start and end, not both."]})
        return super().validate(attrs)


class UsageListQuery(NoUnknownFields, UsageListParameters):
    """A misspelt parameter is refused: without it the answer would be another one."""

    filter = serializers.DictField(
        child=serializers.ListField(child=NameField(allow_blank=True), max_length=MAX_NAMES),
        default=dict,
    )


class UsageRowOutput(serializers.Serializer[Any]):
    customer = serializers.CharField()
    meter = serializers.CharField()
    unit = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="Exclusive.")
    dimensions = serializers.DictField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="The values of group_by; null where nothing was used.",
    )
    quantity = PlainDecimalField()
    event_count = serializers.IntegerField()


class UsageListOutput(serializers.Serializer[Any]):
    customer = serializers.CharField()
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField(help_text="Exclusive.")
    as_of = serializers.DateTimeField(help_text="Time-weighted usage counts until then.")
    time_zone = serializers.CharField()
    window = serializers.CharField(allow_null=True)
    # A field, not an attribute of the serializer.
    data = UsageRowOutput(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class MeterUsage(serializers.Serializer[Any]):
    meter = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField()
    quantity = PlainDecimalField()
    event_count = serializers.IntegerField()


class UsageOutput(serializers.Serializer[Any]):
    customer = serializers.CharField()
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField(help_text="Exclusive.")
    meters = MeterUsage(many=True)
