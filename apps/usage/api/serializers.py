"""What the usage endpoints take and give. Events are validated by services.validate, not here: these describe them."""

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.usage.models import UsageEvent

VERDICTS = ["accepted", "duplicate", "conflict", "quarantined", "rejected"]


class EventInput(serializers.Serializer[Any]):
    id = serializers.CharField(
        max_length=255, help_text="Yours, unique; a retry with it is recognised for ever."
    )
    event = serializers.CharField(
        max_length=127, help_text="What happened; the meters of this name count it."
    )
    customer = serializers.CharField(max_length=127, help_text="The customer's external id or id.")
    timestamp = serializers.DateTimeField(required=False, help_text="RFC 3339 with an offset. Default: now.")
    # A field, not DRF's attribute of the same name.
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=255, required=False, help_text="With it, ids are unique per source."
    )
    properties = serializers.DictField(child=serializers.JSONField(), required=False)


class EventBatch(serializers.Serializer[Any]):
    events = EventInput(many=True)


class CloudEventInput(serializers.Serializer[Any]):
    """CloudEvents 1.0. Extension attributes are welcome and not kept."""

    specversion = serializers.ChoiceField(["1.0"])
    id = serializers.CharField(max_length=255, help_text="With the source, the identity of the event.")
    # A field, not DRF's attribute of the same name.
    source = serializers.CharField(max_length=255)  # type: ignore[assignment]
    type = serializers.CharField(max_length=127, help_text="The event; the meters of this name count it.")
    subject = serializers.CharField(max_length=127, help_text="The customer's external id or id.")
    time = serializers.DateTimeField(required=False, help_text="Default: now.")
    datacontenttype = serializers.CharField(required=False, help_text="JSON, when it is given.")
    # The same.
    data = serializers.DictField(child=serializers.JSONField(), required=False)  # type: ignore[assignment]


class VerdictOutput(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    id = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(VERDICTS)
    code = serializers.CharField(required=False)
    param = serializers.CharField(required=False)
    message = serializers.CharField(required=False)


class BatchOutput(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    conflicts = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = VerdictOutput(many=True)


class EventOutput(serializers.ModelSerializer[UsageEvent]):
    id = serializers.CharField(source="event_id")
    event = serializers.CharField(source="event_name")
    customer = serializers.CharField(source="customer.external_id")
    properties = serializers.SerializerMethodField()

    class Meta:
        model = UsageEvent
        fields = ["id", "source", "event", "customer", "timestamp", "received_at", "properties"]

    @extend_schema_field(serializers.DictField(child=serializers.JSONField()))
    def get_properties(self, event: Any) -> msgspec.Raw:
        return msgspec.Raw(event.properties_text.encode())
