"""Runs of closing: what was due, how far it is, and what came of it."""

from datetime import UTC, datetime, timedelta

from django.db import models
from django.db.models import Q

from apps.core.fields import AmountField
from apps.core.money import money_display
from apps.subscriptions.models import Subscription

# A batch takes a second; who has told nothing for so long is gone.
SILENCE = timedelta(minutes=10)


class BillingRun(models.Model):
    """A run that had something to do. Its numbers grow with each batch, in the batch's own transaction."""

    class Kind(models.TextChoices):
        OPENING = "opening", "Openings"
        CLOSING = "closing", "Periods"
        THRESHOLDS = "thresholds", "Thresholds"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        INTERRUPTED = "interrupted", "Interrupted"
        FINISHED = "finished", "Finished"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    # What was due at or before this instant, by the tenant's clock. The others are the machine's time.
    due_until_at = models.DateTimeField()
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    # None while it runs, and for ever when it was killed: the next run does what is left.
    finished_at = models.DateTimeField(null=True)
    # Who asked for it; empty for beat.
    started_by = models.CharField(max_length=254, blank=True)
    # Set when it was asked for this one alone.
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, null=True, blank=True, related_name="billing_runs"
    )
    # Subscriptions when it began; each may have several periods to bill.
    due_count = models.PositiveIntegerField()
    billed_count = models.PositiveIntegerField(default=0)
    parked_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["opening", "closing", "thresholds"]), name="billing_run_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} until {self.due_until_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    def state_at(self, real_now: datetime) -> "BillingRun.State":
        """By the machine's time, as `updated_at` is."""
        if self.finished_at is not None:
            return self.State.FINISHED
        return self.State.INTERRUPTED if real_now - self.updated_at > SILENCE else self.State.RUNNING


class BillingRunAmount(models.Model):
    """What a run billed in one currency."""

    run = models.ForeignKey(BillingRun, models.PROTECT, related_name="amounts")
    currency = models.CharField(max_length=3)
    amount = AmountField()
    invoice_count = models.PositiveIntegerField()

    class Meta:
        ordering = ["currency"]
        constraints = [
            models.UniqueConstraint(fields=["run", "currency"], name="billing_run_amount_once"),
        ]

    def __str__(self) -> str:
        return money_display(self.amount, self.currency)
