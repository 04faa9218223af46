"""What the endpoints of corrections and backfills take and give."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api.fields import InstantField, StrictSerializer
from apps.usage.models import MeterBackfill, UsageBackfill, UsageCorrection

MAX_VOIDS = 100
MAX_REASON = 1000
OUTCOMES = ("accepted", "duplicate", "conflict", "quarantined", "rejected", "voided")


def event_id_field(**more: Any) -> serializers.CharField:
    return serializers.CharField(max_length=255, trim_whitespace=False, **more)


class EventIdentity(StrictSerializer):
    id = event_id_field(help_text="As it was reported.")
    # A field, not DRF's attribute of the same name.
    source = event_id_field(required=False, allow_blank=True, default="")  # type: ignore[assignment]


class VoidInput(StrictSerializer):
    events = serializers.ListField(child=EventIdentity(), allow_empty=False, max_length=MAX_VOIDS)
    reason = serializers.CharField(max_length=MAX_REASON, help_text="Kept with the correction.")


class VoidVerdictOutput(serializers.Serializer[Any]):
    id = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    status = serializers.ChoiceField(["voided", "refused"])
    code = serializers.CharField(help_text="already_voided, event_not_found; empty when it was voided.")
    message = serializers.CharField()
    correction = serializers.CharField(help_text="The id of the correction; empty when it was refused.")


class VoidOutput(serializers.Serializer[Any]):
    voided = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = VoidVerdictOutput(many=True)


class PropertiesField(serializers.DictField):
    """Values as they were decoded: numbers are Decimals, which DRF's field does not take. Ingestion judges them."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("properties is a JSON object.", code="invalid_properties")
        return data


class AmendInput(StrictSerializer):
    id = event_id_field(help_text="As it was reported.")
    source = event_id_field(required=False, allow_blank=True, default="")  # type: ignore[assignment]
    customer = serializers.CharField(max_length=127, required=False, trim_whitespace=False)
    timestamp = InstantField(required=False)
    properties = PropertiesField(
        child=serializers.JSONField(), required=False, help_text="All of them, anew."
    )
    reason = serializers.CharField(max_length=MAX_REASON, help_text="Kept with the correction.")


class CorrectionOutput(serializers.ModelSerializer[UsageCorrection]):
    id = serializers.CharField(source="public_id")
    event_id = serializers.CharField(help_text="Empty for a backfill, which is about many.")
    source = serializers.CharField()  # type: ignore[assignment]
    customer = serializers.CharField(source="customer.public_id", allow_null=True, default=None)
    backfill = serializers.CharField(source="backfill.public_id", allow_null=True, default=None)
    changes = serializers.DictField(child=serializers.JSONField())

    class Meta:
        model = UsageCorrection
        fields = [
            "id", "kind", "event_id", "source", "customer", "timestamp", "backfill", "changes", "reason",
            "actor_kind", "actor", "created_at",
        ]  # fmt: skip


class BackfillInput(StrictSerializer):
    start = InstantField()
    end = InstantField(help_text="Exclusive.")
    mode = serializers.ChoiceField(UsageBackfill.Mode.choices, default=UsageBackfill.Mode.ADD)
    customer = serializers.CharField(
        max_length=127, required=False, help_text="Default: events of all customers."
    )
    event = serializers.CharField(
        max_length=127, required=False, default="", help_text="Default: events of every name."
    )
    reason = serializers.CharField(max_length=MAX_REASON)


class OutcomeOutput(serializers.Serializer[Any]):
    """What became of the staged events, and how many events that counted before were voided."""

    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    conflict = serializers.IntegerField()
    quarantined = serializers.IntegerField(help_text="Left out: no customer or meter for them.")
    rejected = serializers.IntegerField()
    voided = serializers.IntegerField()


class BackfillOutput(serializers.ModelSerializer[UsageBackfill]):
    id = serializers.CharField(source="public_id")
    start = serializers.DateTimeField(source="starts_at")
    end = serializers.DateTimeField(source="ends_at")
    customer = serializers.CharField(source="customer.public_id", allow_null=True, default=None)
    event = serializers.CharField(source="event_name")
    staged = serializers.IntegerField(source="staged_count")
    outcome = serializers.SerializerMethodField(help_text="Null until it is closed.")

    class Meta:
        model = UsageBackfill
        fields = [
            "id", "status", "mode", "start", "end", "customer", "event", "reason", "staged", "outcome",
            "created_at", "closed_at", "ended_at",
        ]  # fmt: skip

    @extend_schema_field(OutcomeOutput(allow_null=True))
    def get_outcome(self, backfill: UsageBackfill) -> dict[str, int] | None:
        if backfill.closed_at is None:
            return None
        return {name: backfill.outcome.get(name, 0) for name in OUTCOMES}


class ReasonInput(StrictSerializer):
    reason = serializers.CharField(max_length=MAX_REASON, help_text="Kept with the correction.")


class MeterBackfillInput(StrictSerializer):
    start = InstantField(
        required=False, default=None, help_text="Default: the first event. Needed once events are archived."
    )
    end = InstantField(required=False, default=None, help_text="Exclusive. Default: the last event.")
    reason = serializers.CharField(max_length=MAX_REASON, required=False, default="")


class MeterBackfillOutput(serializers.ModelSerializer[MeterBackfill]):
    meter = serializers.CharField(source="meter.code")
    start = serializers.DateTimeField(source="starts_at", allow_null=True)
    end = serializers.DateTimeField(source="ends_at", allow_null=True)
    percent = serializers.IntegerField()

    class Meta:
        model = MeterBackfill
        fields = [
            "id", "meter", "definition_version", "start", "end", "status", "percent", "events_expected",
            "events_seen", "readings_added", "events_skipped", "error", "created_at", "started_at", "finished_at",
        ]  # fmt: skip
