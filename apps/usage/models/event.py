"""Accepted usage events: facts, only ever added. A trigger refuses UPDATE and DELETE."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.fields import QuantityField
from apps.customers.models import Customer


class UsageEvent(models.Model):
    """Rows are written by services.ingest alone, in sets.

    `key` is the event's whole identity: a hash of source and id. The time is no part of it, so a retry with
    another time is seen as what it is. What the event counted for is kept with it, as three parallel
    arrays, since meters come and go and the past must not change with them.
    """

    key = models.UUIDField(primary_key=True, editable=False)
    # Hash of everything the client sent: the same key with another content is a conflict.
    content_hash = models.UUIDField(editable=False)
    source = models.CharField(max_length=255, blank=True)
    event_id = models.CharField("event ID", max_length=255)
    event_name = models.CharField("event", max_length=127)
    # No constraint in the database: the table is on the hot path, and customers are never deleted.
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, db_index=False)
    timestamp = models.DateTimeField()
    received_at = models.DateTimeField()
    properties = models.JSONField(default=dict)
    meter_ids = ArrayField(models.BigIntegerField())
    values = ArrayField(QuantityField())
    dimension_set_ids = ArrayField(models.BigIntegerField())

    class Meta:
        verbose_name = "usage event"
        ordering = ["-timestamp"]
        indexes = [
            # The ragged edges of a period, and the events behind an invoice line.
            models.Index(fields=["customer", "timestamp"], name="usage_event_customer_time"),
            models.Index(fields=["-timestamp"], name="usage_event_time"),
        ]

    def __str__(self) -> str:
        return self.event_id
