"""A range of the past that is reported anew: staged, looked at, closed in one step, and taken back in one."""

from django.db import models
from django.db.models import F, Q

from apps.core.models import PublicModel
from apps.customers.models import Customer

MAX_STAGED = 200_000


class UsageBackfill(PublicModel):
    """Events of `[starts_at, ends_at)`, of one customer or all, of one event name or all.

    Open, it takes events that don't count. Closing lets them count, and with `replace` stops counting what was
    in the range before and was not sent again. Reverting undoes exactly that.
    """

    ID_PREFIX = "bkf"

    class Mode(models.TextChoices):
        ADD = "add", "Add to what is there"
        REPLACE = "replace", "Replace what is there"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"
        REVERTED = "reverted", "Reverted"
        DISCARDED = "discarded", "Discarded"

    mode = models.CharField(max_length=7, choices=Mode.choices, default=Mode.ADD)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN, editable=False)
    customer = models.ForeignKey(
        Customer, models.PROTECT, null=True, blank=True, help_text="Empty: events of all customers."
    )
    event_name = models.CharField(
        "event", max_length=127, blank=True, help_text="Empty: events of every name."
    )
    starts_at = models.DateTimeField("from")
    ends_at = models.DateTimeField("until", help_text="Not part of the range.")
    reason = models.TextField()
    actor_kind = models.CharField(max_length=20, editable=False)
    actor = models.CharField(max_length=254, blank=True, editable=False)
    staged_count = models.PositiveIntegerField(default=0, editable=False)
    # How many staged events got which verdict at closing, and how many events were voided.
    outcome = models.JSONField(default=dict, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "backfill"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at__lt=F("ends_at")),
                name="usage_backfill_has_a_range",
                violation_error_message="The end lies after the start; it is not part of the range.",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="usage_backfill_has_a_reason"),
            models.CheckConstraint(
                condition=(
                    Q(status="open", closed_at__isnull=True, ended_at__isnull=True)
                    | Q(status="closed", closed_at__isnull=False, ended_at__isnull=True)
                    | Q(status="reverted", closed_at__isnull=False, ended_at__isnull=False)
                    | Q(status="discarded", closed_at__isnull=True, ended_at__isnull=False)
                ),
                name="usage_backfill_status_fits_its_instants",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_open(self) -> bool:
        return self.status == self.Status.OPEN


class BackfillEvent(models.Model):
    """An event as it was sent to a backfill. It counts only once it is closed, as the event that it names then.

    `verdict` is what is known so far: `staged` until the backfill is closed, and then ingestion's.
    """

    class Verdict(models.TextChoices):
        STAGED = "staged", "Staged"
        ACCEPTED = "accepted", "Accepted"
        DUPLICATE = "duplicate", "Duplicate"
        CONFLICT = "conflict", "Conflict"
        QUARANTINED = "quarantined", "Not countable"
        REJECTED = "rejected", "Rejected"

    backfill = models.ForeignKey(UsageBackfill, models.PROTECT, related_name="events", db_index=False)
    key = models.UUIDField(editable=False)
    content = models.BigIntegerField(editable=False)
    source = models.CharField(max_length=255, blank=True)
    event_id = models.CharField("event ID", max_length=255)
    event_name = models.CharField("event", max_length=127)
    customer_reference = models.CharField("customer", max_length=127)
    timestamp = models.DateTimeField()
    properties = models.TextField()
    verdict = models.CharField(max_length=11, choices=Verdict.choices, default=Verdict.STAGED)
    code = models.CharField(max_length=40, blank=True)
    # Its own key when it was accepted: that of a revision when another event had the id.
    accepted_key = models.UUIDField(null=True)
    accepted_customer_id = models.BigIntegerField(null=True)
    accepted_shape_id = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = "staged event"
        constraints = [
            models.UniqueConstraint(fields=["backfill", "key"], name="usage_backfill_id_once"),
        ]

    def __str__(self) -> str:
        return self.event_id
