"""Accepted usage events: facts, only ever added. A trigger refuses UPDATE and DELETE.

An event takes three rows, two of which are narrow and one of which it shares. Its identity lies in `EventKey`,
which is not partitioned, for the time is no part of it. What events of one kind have in common lies in
`EventShape`: name, source, names of properties, dimension values, and the meters that read them. What remains
is the `UsageEvent`: who, when, and the values that no other event has, in a table partitioned by time.
"""

from typing import Any

import msgspec
from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.customers.models import Customer

CONSTANT_ONE = -1  # the position of a meter that counts events


class EventShape(models.Model):
    """What many events have in common. Rows are added by ingestion and never change.

    `names` are the properties, sorted, whose values stand in `UsageEvent.property_values`, in this order;
    `fixed` holds the others. Reading number i is of meter `meter_ids[i]`: its value stands at `positions[i]` of
    the event's values (computed ones behind those of the properties), or is 1 where that is -1.
    """

    key = models.UUIDField(unique=True, editable=False)
    event_name = models.CharField("event", max_length=127)
    source = models.CharField(max_length=255, blank=True)
    names = ArrayField(models.TextField())
    fixed = models.TextField()
    meter_ids = ArrayField(models.BigIntegerField())
    positions = ArrayField(models.SmallIntegerField())
    dimension_set_ids = ArrayField(models.BigIntegerField())
    # Above 0 for events that took the place of others with their ids (see EventRevision).
    revision = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = "event shape"

    def __str__(self) -> str:
        return f"{self.event_name} ({', '.join(self.names)})"


class EventKey(models.Model):
    """The identity of an event, for as long as the event lasts: a hash of source and id.

    `content` is a hash of everything the client sent, so that a repeat is told from a contradiction without
    reading the event. Customer and timestamp say where the event lies; without a customer it is in quarantine.
    """

    key = models.UUIDField(primary_key=True, editable=False)
    content = models.BigIntegerField(editable=False)
    timestamp = models.DateTimeField(editable=False)
    customer_id = models.BigIntegerField(null=True, editable=False)

    def __str__(self) -> str:
        return str(self.key)


class UsageEvent(models.Model):
    """Rows are written by services.ingest alone, in sets.

    The table is partitioned by timestamp and has one index: customer and hour (UTC). It has no primary key in
    the database: `EventKey` sees to the identity, and a second index would cost as much as the first. Django
    wants one, so it is told of the id, which is unique for one source.
    """

    timestamp = models.DateTimeField()
    received_at = models.DateTimeField()
    # No constraint in the database: the table is on the hot path, and customers are never deleted.
    customer = models.ForeignKey(Customer, models.PROTECT, db_constraint=False, db_index=False)
    shape = models.ForeignKey(EventShape, models.PROTECT, db_constraint=False, db_index=False)
    event_id = models.CharField("event ID", max_length=255, primary_key=True)
    # A JSON array.
    property_values = models.TextField()

    class Meta:
        verbose_name = "usage event"
        ordering = ["-timestamp"]

    def __str__(self) -> str:
        return self.event_id

    @property
    def event_name(self) -> str:
        return self.shape.event_name

    @property
    def source(self) -> str:
        return self.shape.source

    @property
    def readings(self) -> list[tuple[int, int, str]]:
        """What it counted for: meter, dimension set, and the value as text."""
        values = msgspec.json.decode(self.property_values, type=list[msgspec.Raw])
        shape = self.shape
        return [
            (meter_id, set_id, "1" if at == CONSTANT_ONE else bytes(values[at]).decode().strip('"'))
            for meter_id, set_id, at in zip(
                shape.meter_ids, shape.dimension_set_ids, shape.positions, strict=True
            )
        ]

    @property
    def properties_text(self) -> str:
        """The properties as JSON, each value as it was sent, sorted by name."""
        values = msgspec.json.decode(self.property_values, type=list[msgspec.Raw])
        merged = msgspec.json.decode(self.shape.fixed, type=dict[str, msgspec.Raw])
        merged |= dict(zip(self.shape.names, values, strict=False))
        return msgspec.json.encode(merged, order="sorted").decode()

    @property
    def properties(self) -> Any:
        """The same as Python values, for people to look at; fractions are floats."""
        return msgspec.json.decode(self.properties_text)
