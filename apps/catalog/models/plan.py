"""Plans and their versions. A published version is frozen: a trigger refuses to change it or its prices."""

from django.db import models
from django.db.models import Q

from apps.catalog.models.book import PriceBook
from apps.catalog.models.feature import Product
from apps.core import clock
from apps.core.validators import code_validator, validate_currency

MAX_INTERVAL = 366
MAX_TRIAL_DAYS = 730
# What a version says beside its prices: when they are asked for, how shares are counted, what is free at first.
TERMS = (
    "interval_unit", "interval_count", "usage_interval_unit", "usage_interval_count", "proration", "trial_days",
    "trial_covers",
)  # fmt: skip


class Plan(models.Model):
    class Kind(models.TextChoices):
        """An add-on is attached to a subscription beside its plan, and is no subscription by itself."""

        PLAN = "plan", "Plan"
        ADD_ON = "add_on", "Add-on"

    # Never changed: what is subscribed to stays a plan, and what is attached an add-on.
    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.PLAN)
    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    product = models.ForeignKey(Product, models.PROTECT, null=True, blank=True, related_name="plans")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=Q(kind__in=["plan", "add_on"]), name="plan_kind")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_add_on(self) -> bool:
        return self.kind == self.Kind.ADD_ON


class PlanVersion(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        ARCHIVED = "archived", "Archived"

    class Unit(models.TextChoices):
        DAY = "day", "Days"
        WEEK = "week", "Weeks"
        MONTH = "month", "Months"

    class Proration(models.TextChoices):
        SECOND = "second", "By time"
        DAY = "day", "In whole days"

    class TrialCovers(models.TextChoices):
        FEES = "fees", "Fees"
        EVERYTHING = "everything", "Fees and usage"

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    # None: the plan's general prices, for whoever no book fits.
    price_book = models.ForeignKey(PriceBook, models.PROTECT, null=True, blank=True, related_name="versions")
    # Made for one customer: never on offer to others, whatever its number.
    is_negotiated = models.BooleanField("negotiated", default=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT, editable=False)
    currency = models.CharField(max_length=3, default="USD", validators=[validate_currency])
    interval_unit = models.CharField("fees every", max_length=12, choices=Unit.choices, default=Unit.MONTH)
    interval_count = models.PositiveSmallIntegerField(
        "so many", default=1, help_text="3 months are a quarter, 12 a year."
    )
    # Empty: as the fees. Otherwise it divides their interval, so that a fee's period ends with a cycle.
    usage_interval_unit = models.CharField(
        "usage every", max_length=12, choices=Unit.choices, blank=True, help_text="Empty: as the fees."
    )
    usage_interval_count = models.PositiveSmallIntegerField("so many for usage", null=True, blank=True)
    proration = models.CharField(
        max_length=12,
        choices=Proration.choices,
        default=Proration.SECOND,
        help_text="How a fee is shared when it is due for a part of its period.",
    )
    trial_days = models.PositiveSmallIntegerField(
        default=0, help_text="Unless a subscription says otherwise."
    )
    trial_covers = models.CharField(max_length=10, choices=TrialCovers.choices, default=TrialCovers.FEES)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["plan__name", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "number"], name="plan_version_number_once"),
            models.CheckConstraint(
                condition=Q(is_negotiated=False) | Q(price_book__isnull=True),
                name="plan_version_negotiated_outside_books",
            ),
            models.CheckConstraint(
                condition=Q(status="draft", published_at__isnull=True)
                | (~Q(status="draft") & Q(published_at__isnull=False)),
                name="plan_version_published_at_fits_status",
            ),
            models.CheckConstraint(
                condition=Q(
                    interval_unit__in=["day", "week", "month"],
                    interval_count__gte=1,
                    interval_count__lte=MAX_INTERVAL,
                    proration__in=["second", "day"],
                    trial_days__lte=MAX_TRIAL_DAYS,
                    trial_covers__in=["fees", "everything"],
                ),
                name="plan_version_terms",
            ),
            models.CheckConstraint(
                condition=Q(usage_interval_unit="", usage_interval_count__isnull=True)
                | Q(
                    usage_interval_unit__in=["day", "week", "month"],
                    usage_interval_count__gte=1,
                    usage_interval_count__lte=MAX_INTERVAL,
                    usage_interval_count__isnull=False,
                ),
                name="plan_version_usage_interval",
                violation_error_message="Usage every: give a unit and a number, or neither.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.number}"

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.DRAFT
