"""Subscriptions: which customer is on which plan version since when, and how far they are billed."""

from collections.abc import Iterable
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q

from apps.catalog.models import Plan, PlanVersion
from apps.core.fields import AmountField
from apps.core.models import PublicModel
from apps.core.validators import validate_time_zone
from apps.customers.models import Customer
from apps.subscriptions import timeline as life
from apps.subscriptions.periods import Interval, Period, Schedule


class Subscription(PublicModel):
    """`invoiced_until` is the billing cursor: everything before it is on an invoice, nothing after it is."""

    ID_PREFIX: ClassVar[str] = "sub"

    class Anchor(models.TextChoices):
        CALENDAR = "calendar", "First of the month"
        ANNIVERSARY = "anniversary", "Day of the start"
        DAY_OF_MONTH = "day_of_month", "A certain day of the month"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        ENDED = "ended", "Ended"

    class Unused(models.TextChoices):
        """What becomes of a fee that was billed at the start of a period when the subscription ends within it."""

        CREDIT = "credit", "Credited on the last invoice"
        REFUND = "refund", "Credited, and to be paid back"
        NOTHING = "nothing", "Nothing comes back"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="subscriptions")
    # The version of the open period; the phases say what was and what will be.
    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="subscriptions")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE, editable=False)
    billing_anchor = models.CharField(max_length=12, choices=Anchor.choices, default=Anchor.CALENDAR)
    billing_day = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="1 to 31; in a shorter month its last day."
    )
    # The zone of the open period; the customer's when the subscription began, until it is changed by its own verb.
    time_zone = models.CharField(max_length=64, validators=[validate_time_zone], editable=False)
    started_at = models.DateTimeField()
    # When fees that are due at the start, or once, are billed; None when there are none (any more).
    opening_due_at = models.DateTimeField(null=True, editable=False)
    # When the opening was billed, which happens once; never cleared, whatever becomes of the timeline afterwards.
    opened_at = models.DateTimeField(null=True, editable=False)
    invoiced_until = models.DateTimeField(
        editable=False
    )  # exclusive; advanced only by close_period, never back
    # End of the period that starts at invoiced_until: when the close job is next due.
    next_boundary_at = models.DateTimeField(editable=False)
    # In the plan's currency: usage is billed as soon as so much of the open period is unbilled. None: at its end.
    billing_threshold = AmountField(null=True, blank=True)
    # Exclusive. When the cursor reaches it the subscription is ended; until then it can be reactivated.
    ends_at = models.DateTimeField(null=True, editable=False)
    canceled_at = models.DateTimeField(null=True, editable=False)
    unused = models.CharField(max_length=8, choices=Unused.choices, blank=True, editable=False)
    cancellation_reason = models.TextField(blank=True, editable=False)

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
            models.Index(
                fields=["id"],
                name="subscription_threshold",
                condition=Q(status="active", billing_threshold__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(invoiced_until__gte=F("started_at"))
                & (
                    Q(next_boundary_at__gt=F("invoiced_until"))
                    | Q(status="ended", next_boundary_at=F("invoiced_until"))
                ),
                name="subscription_cursor_in_order",
            ),
            models.CheckConstraint(
                condition=Q(billing_anchor="day_of_month", billing_day__gte=1, billing_day__lte=31)
                | (~Q(billing_anchor="day_of_month") & Q(billing_day__isnull=True)),
                name="subscription_billing_day_fits_anchor",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True, canceled_at__isnull=True, unused="")
                | Q(
                    ends_at__gte=F("started_at"),
                    canceled_at__isnull=False,
                    unused__in=["credit", "refund", "nothing"],
                ),
                name="subscription_end_is_complete",
            ),
            models.CheckConstraint(
                condition=Q(billing_threshold__isnull=True) | Q(billing_threshold__gt=0),
                name="subscription_threshold_above_zero",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} on {self.plan_version}"

    @property
    def schedule(self) -> Schedule:
        """Where the cycles of the open period's schedule end. Asks for the phases."""
        return self.timeline().era_at(self.invoiced_until).usage

    @property
    def open_period(self) -> Period:
        """The oldest period that is not billed yet."""
        return Period(self.invoiced_until, self.next_boundary_at)

    def timeline(
        self,
        phases: "Iterable[SubscriptionPhase] | None" = None,
        add_ons: "Iterable[SubscriptionAddOn]" = (),
    ) -> life.Timeline:
        """All that phases and add-ons say, as a value; two queries, unless they are given with their versions."""
        if phases is None:
            phases = self.phases.select_related("plan_version").order_by("starts_at")
            add_ons = self.add_ons.select_related("plan_version").order_by("plan_id", "starts_at")
        return life.Timeline(
            [phase.stage(self) for phase in phases],
            self.billing_anchor,
            self.billing_day,
            self.ends_at,
            self.unused == self.Unused.NOTHING,
            tuple(one.value() for one in add_ons),
        )


class SubscriptionPhase(models.Model):
    """From when to when a subscription is on which terms: `[starts_at, ends_at)`, the last one open.

    The phases of a subscription tile its life, so an instant belongs to exactly one version. A phase whose schedule
    is not the one before begins a cycle of its own.
    """

    class Treatment(models.TextChoices):
        BILLED = life.BILLED, "Billed"
        TRIAL_FEES = life.TRIAL_FEES, "Trial: fees are free"
        TRIAL_ALL = life.TRIAL_ALL, "Trial: everything is free"
        PAUSED = life.PAUSED, "Paused"

    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="phases")
    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="phases")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)  # exclusive
    quantity = models.PositiveIntegerField("seats", default=1)
    treatment = models.CharField(max_length=10, choices=Treatment.choices, default=Treatment.BILLED)
    # While paused: what the pause stands in for, and what comes back with a resumption.
    resumes_as = models.CharField(max_length=10, choices=Treatment.choices, blank=True, default="")
    # Whose local time anchors the schedule; None: the subscription's start.
    anchored_at = models.DateTimeField(null=True)
    # Empty: the subscription's zone.
    time_zone = models.CharField(max_length=64, blank=True, validators=[validate_time_zone])
    # Set when the zone changed within a period: where that cycle and its fee period end, and where the latter began.
    moved_cycle_ends_at = models.DateTimeField(null=True)
    moved_fees_start_at = models.DateTimeField(null=True)
    moved_fees_end_at = models.DateTimeField(null=True)

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
            models.CheckConstraint(
                condition=Q(quantity__gte=1)
                & Q(treatment__in=["billed", "trial_fees", "trial_all", "paused"]),
                name="subscription_phase_choices",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_version} from {self.starts_at:%Y-%m-%d}"

    def stage(self, subscription: Subscription) -> life.Stage:
        version = self.plan_version
        fees, usage = intervals_of(version)
        return life.Stage(
            start=self.starts_at,
            end=self.ends_at,
            version_id=version.pk,
            quantity=self.quantity,
            treatment=self.treatment,
            basis=life.Basis(
                fees=fees,
                usage=usage,
                anchored_at=self.anchored_at or subscription.started_at,
                time_zone=ZoneInfo(self.time_zone or subscription.time_zone),
                moved=life.Moved(self.moved_cycle_ends_at, self.moved_fees_start_at, self.moved_fees_end_at),
            ),
            proration=version.proration,
        )


class SubscriptionAddOn(models.Model):
    """From when to when an add-on is attached, and how many times: `[starts_at, ends_at)`.

    A change of the quantity is a row of its own that begins where the former ends. The database refuses two rows of
    one add-on that overlap, and a version of another plan than the row names.
    """

    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="add_ons")
    # The version's plan, here as well so that a constraint can name it.
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="attached")
    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="attached")
    quantity = models.PositiveIntegerField(default=1)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)  # exclusive

    class Meta:
        ordering = ["plan_id", "starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(starts_at__lt=F("ends_at")),
                name="subscription_add_on_in_order",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="subscription_add_on_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.plan_version} from {self.starts_at:%Y-%m-%d}"

    def value(self) -> life.AddOn:
        return life.AddOn(
            plan_id=self.plan_id,
            start=self.starts_at,
            end=self.ends_at,
            version_id=self.plan_version_id,
            quantity=self.quantity,
            fees=intervals_of(self.plan_version)[0],
        )


def intervals_of(version: PlanVersion) -> tuple[Interval, Interval]:
    """Of fees and of usage."""
    fees = Interval(version.interval_unit, version.interval_count)
    if not version.usage_interval_unit:
        return fees, fees
    return fees, Interval(version.usage_interval_unit, version.usage_interval_count or 1)


class NegotiatedVersion(models.Model):
    """A plan version that was made for one customer: what the plan costs them, before any price book is asked."""

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="negotiated_versions")
    plan_version = models.OneToOneField(PlanVersion, models.PROTECT, related_name="negotiated_for")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.plan_version} for {self.customer}"
