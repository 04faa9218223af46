"""Meters that read events which came before them, and readings that a changed definition left behind."""

from django.db import models
from django.db.models import F, Q

from apps.catalog.models import Meter


class MeterBackfill(models.Model):
    """A job: let a meter read the events that came in before it, or before its definition was changed.

    `position` is how far it has come, written in the transaction of the readings: whoever goes on, goes on
    from there.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    meter = models.ForeignKey(Meter, models.PROTECT, related_name="backfills")
    # Of the meter when the job was made: a job for another definition must not write.
    definition_version = models.PositiveIntegerField(editable=False)
    starts_at = models.DateTimeField(
        "from", null=True, blank=True, help_text="Empty: from the first event on."
    )
    ends_at = models.DateTimeField("until", null=True, blank=True, help_text="Empty: to the last event.")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    position = models.JSONField(default=dict)
    # The newest shape when it began: events of later ones came in when the meter was read already.
    last_shape_id = models.BigIntegerField(null=True)
    events_expected = models.BigIntegerField(default=0)
    events_seen = models.BigIntegerField(default=0)
    readings_added = models.BigIntegerField(default=0)
    events_skipped = models.BigIntegerField(default=0)
    # A few of the events whose value is no number: id, time and why.
    skipped_examples = models.JSONField(default=list)
    error = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    actor_kind = models.CharField(max_length=20)
    actor = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    # The machine's time of the last step: a job that has not stepped for a while was interrupted.
    stepped_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "meter backfill"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True) | Q(ends_at__isnull=True) | Q(starts_at__lt=F("ends_at")),
                name="usage_meter_backfill_has_a_range",
                violation_error_message="The end lies after the start; it is not part of the range.",
            ),
            models.UniqueConstraint(
                fields=["meter"],
                condition=Q(status__in=["queued", "running"]),
                name="usage_meter_backfill_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"Backfill of {self.meter}"

    @property
    def is_unfinished(self) -> bool:
        return self.status in (self.Status.QUEUED, self.Status.RUNNING)

    @property
    def percent(self) -> int:
        """How far it has come; what is expected is an estimate, so only the end is 100."""
        if self.status == self.Status.DONE:
            return 100
        return min(99, 100 * self.events_seen // max(1, self.events_expected))


class DiscardedReading(models.Model):
    """Readings of this meter off events of this shape were made by a definition that it no longer has.

    Events and shapes are facts and keep them; whoever adds up readings leaves them out.
    """

    shape_id = models.BigIntegerField()
    meter_id = models.BigIntegerField()
    pk = models.CompositePrimaryKey("shape_id", "meter_id")

    class Meta:
        verbose_name = "discarded reading"

    def __str__(self) -> str:
        return f"{self.meter_id} of {self.shape_id}"
