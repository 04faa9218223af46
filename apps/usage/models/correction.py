"""What has been taken back, and what was read off events later than when they came in."""

from django.db import models


class VoidedEvent(models.Model):
    """An event that no longer counts. The event stays as it is; whoever adds up events leaves it out.

    The columns are those that find the event. Rows are written and taken back by corrections alone, which also
    keep who did it and why, together with the rollups that change with it.
    """

    customer_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    event_id = models.CharField(max_length=255)
    shape_id = models.BigIntegerField()
    key = models.UUIDField(unique=True)
    voided_at = models.DateTimeField()
    pk = models.CompositePrimaryKey("customer_id", "timestamp", "event_id", "shape_id")

    class Meta:
        verbose_name = "voided event"

    def __str__(self) -> str:
        return self.event_id


class BackfilledReading(models.Model):
    """What a meter that is younger than an event reads off it. Written by meter backfills, in sets.

    `value` is the reading's value as text, as it would stand in the event.
    """

    customer_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    meter_id = models.BigIntegerField()
    event_id = models.CharField(max_length=255)
    shape_id = models.BigIntegerField()
    dimension_set_id = models.BigIntegerField()
    value = models.TextField()
    pk = models.CompositePrimaryKey("customer_id", "timestamp", "meter_id", "event_id", "shape_id")

    class Meta:
        verbose_name = "backfilled reading"

    def __str__(self) -> str:
        return f"{self.event_id}: {self.value}"


class EventReading(models.Model):
    """What meters read off events that count: the view `usage_reading`, which every scan of events goes through.

    To be asked by customer and `bucket` (the start of the hour in UTC), which is what the index knows, and by
    timestamp besides. `value` is text: a number, or what a unique count tells apart.
    """

    customer_id = models.BigIntegerField()
    bucket = models.DateTimeField()
    timestamp = models.DateTimeField()
    event_id = models.CharField(max_length=255, primary_key=True)
    shape_id = models.BigIntegerField()
    meter_id = models.BigIntegerField()
    dimension_set_id = models.BigIntegerField()
    value = models.TextField()

    class Meta:
        managed = False
        db_table = "usage_reading"
        verbose_name = "reading"

    def __str__(self) -> str:
        return f"{self.event_id}: {self.value}"
