"""What has been taken back, by whom and why, and what counts in its place."""

from django.db import models
from django.db.models import Q

from apps.core.models import PublicModel
from apps.customers.models import Customer


class UsageCorrection(PublicModel):
    """A fact: somebody changed what counts. A trigger refuses UPDATE and DELETE.

    A void or an amendment names its event as it was; a backfill that was closed or reverted names none, for it
    is many. `changes` says what became different, in words that people read.
    """

    ID_PREFIX = "cor"

    class Kind(models.TextChoices):
        VOID = "void", "Voided"
        AMEND = "amend", "Amended"
        BACKFILL_CLOSED = "backfill_closed", "Backfill closed"
        BACKFILL_REVERTED = "backfill_reverted", "Backfill reverted"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    key = models.UUIDField(null=True, editable=False)
    source = models.CharField(max_length=255, blank=True)
    event_id = models.CharField("event ID", max_length=255, blank=True)
    customer = models.ForeignKey(Customer, models.PROTECT, null=True)
    timestamp = models.DateTimeField(null=True)
    backfill = models.ForeignKey("usage.UsageBackfill", models.PROTECT, null=True, related_name="corrections")
    changes = models.JSONField(default=dict)
    reason = models.TextField()
    actor_kind = models.CharField(max_length=20)
    actor = models.CharField(max_length=254, blank=True)

    class Meta:
        verbose_name = "correction"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(kind__in=["void", "amend"], key__isnull=False, backfill__isnull=True)
                    | Q(
                        kind__in=["backfill_closed", "backfill_reverted"],
                        key__isnull=True,
                        backfill__isnull=False,
                    )
                ),
                name="usage_correction_names_its_object",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="usage_correction_has_a_reason"),
        ]
        indexes = [models.Index(fields=["key"], name="usage_correction_key")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.event_id or self.backfill}"


class EventRevision(models.Model):
    """An event that took the place of another one with the same id: where it lies. A fact, like the event.

    Revision 0 is the event as it was first reported and has no row here. The shape of a revision is of that
    revision too, so that customer, time, id and shape find exactly one event.
    """

    root_key = models.UUIDField(editable=False)
    revision = models.PositiveSmallIntegerField()
    key = models.UUIDField(unique=True, editable=False)
    customer_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    event_id = models.CharField(max_length=255)
    shape_id = models.BigIntegerField()
    correction = models.ForeignKey(UsageCorrection, models.PROTECT, related_name="revisions")

    class Meta:
        verbose_name = "event revision"
        constraints = [
            models.UniqueConstraint(fields=["root_key", "revision"], name="usage_revision_once"),
            models.CheckConstraint(condition=Q(revision__gte=1), name="usage_revision_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} ({self.revision})"


class VoidedEvent(models.Model):
    """An event that no longer counts. The event stays as it is; whoever adds up events leaves it out.

    The columns are those that find the event; `key` is its own, of its revision. Rows are written and taken
    back by corrections alone, which also keep who did it and why, together with the rollups that change with it.
    """

    customer_id = models.BigIntegerField()
    timestamp = models.DateTimeField()
    event_id = models.CharField(max_length=255)
    shape_id = models.BigIntegerField()
    key = models.UUIDField(unique=True)
    voided_at = models.DateTimeField()
    correction = models.ForeignKey(UsageCorrection, models.PROTECT, related_name="voided")
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
