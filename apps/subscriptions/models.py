"""Subscriptions: which customer is on which plan version since when, and how far they are billed."""

from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q

from apps.catalog.models import PlanVersion
from apps.core.models import PublicModel
from apps.core.validators import validate_time_zone
from apps.customers.models import Customer
from apps.subscriptions.periods import Period, Schedule, anniversary_schedule, calendar_schedule


class Subscription(PublicModel):
    """`invoiced_until` is the billing cursor: everything before it is on an invoice, nothing after it is."""

    ID_PREFIX: ClassVar[str] = "sub"

    class Anchor(models.TextChoices):
        CALENDAR = "calendar", "First of the month"
        ANNIVERSARY = "anniversary", "Day of the start"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        ENDED = "ended", "Ended"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="subscriptions")
    # The version of the open period; the phases say what was and what will be.
    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="subscriptions")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE, editable=False)
    billing_anchor = models.CharField(max_length=12, choices=Anchor.choices, default=Anchor.CALENDAR)
    # The customer's zone when the subscription began: moving house does not move periods already billed.
    time_zone = models.CharField(max_length=64, validators=[validate_time_zone], editable=False)
    started_at = models.DateTimeField()
    # When fees that are due at the start, or once, are billed; None when there are none (any more).
    opening_due_at = models.DateTimeField(null=True, editable=False)
    invoiced_until = models.DateTimeField(
        editable=False
    )  # exclusive; advanced only by close_period, never back
    # End of the period that starts at invoiced_until: when the close job is next due.
    next_boundary_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["next_boundary_at", "id"], name="subscription_due", condition=Q(status="active")
            ),
            models.Index(
                fields=["opening_due_at"],
                name="subscription_opening_due",
                condition=Q(opening_due_at__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(invoiced_until__gte=F("started_at"), next_boundary_at__gt=F("invoiced_until")),
                name="subscription_cursor_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} on {self.plan_version}"

    @property
    def schedule(self) -> Schedule:
        zone = ZoneInfo(self.time_zone)
        make = calendar_schedule if self.billing_anchor == self.Anchor.CALENDAR else anniversary_schedule
        return make(self.started_at, zone)

    @property
    def open_period(self) -> Period:
        """The oldest period that is not billed yet."""
        return Period(self.invoiced_until, self.next_boundary_at)

    def full_period_of(self, period: Period) -> Period:
        """The whole period that `period` (the first one perhaps cut) belongs to; flat fees are shared by it."""
        return self.schedule.full_period_at(period.start)


class SubscriptionPhase(models.Model):
    """From when to when a subscription is on which plan version: `[starts_at, ends_at)`, the last one open.

    The phases of a subscription tile its life, so an instant belongs to exactly one version.
    """

    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="phases")
    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="phases")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)  # exclusive

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "starts_at"], name="subscription_phase_start_once"
            ),
            models.UniqueConstraint(
                fields=["subscription"], condition=Q(ends_at__isnull=True), name="subscription_one_open_phase"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(starts_at__lt=F("ends_at")),
                name="subscription_phase_in_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_version} from {self.starts_at:%Y-%m-%d}"


class NegotiatedVersion(models.Model):
    """A plan version that was made for one customer: what the plan costs them, before any price book is asked."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="negotiated_versions")
    plan_version = models.OneToOneField(PlanVersion, models.PROTECT, related_name="negotiated_for")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.plan_version} for {self.customer}"
