"""Well-formed events that nobody can be billed for yet: kept, listed for staff, replayable."""

from django.db import models
from django.db.models import Q


class QuarantinedEvent(models.Model):
    class Reason(models.TextChoices):
        UNKNOWN_CUSTOMER = "unknown_customer", "Unknown customer"
        UNKNOWN_METER = "unknown_meter", "No meter for this event"
        MISSING_VALUE = "missing_value", "No meter finds its property"
        # Found out by a replay.
        REJECTED = "rejected", "A meter rejects it"
        EVENTS_ARCHIVED = "events_archived", "Events of its time are archived"

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        REPLAYED = "replayed", "Replayed"

    key = models.UUIDField(unique=True, editable=False)
    content = models.BigIntegerField(editable=False)
    source = models.CharField(max_length=255, blank=True)
    event_id = models.CharField("event ID", max_length=255)
    event_name = models.CharField("event", max_length=127)
    customer_reference = models.CharField("customer", max_length=127)
    timestamp = models.DateTimeField()
    received_at = models.DateTimeField()
    properties = models.JSONField(default=dict)
    # Why it did not count when it was tried last.
    reason = models.CharField(max_length=20, choices=Reason.choices)
    # What a meter said that rejected it.
    problem = models.TextField(blank=True, db_default="")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    replayed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "quarantined event"
        ordering = ["-received_at", "-id"]
        indexes = [
            models.Index(
                fields=["customer_reference"],
                name="quarantine_waiting_customer",
                condition=Q(status="waiting"),
            ),
            models.Index(fields=["-received_at"], name="quarantine_received"),
        ]

    def __str__(self) -> str:
        return self.event_id
