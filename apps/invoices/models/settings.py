"""How a tenant's invoices come about: grace, zero invoices, and the brakes before issue."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

MAX_GRACE_HOURS = 72


class BillingSettings(models.Model):
    """One row a tenant. A brake that is empty or unchecked is off."""

    class ZeroInvoices(models.TextChoices):
        ISSUE = "issue", "Issue them with a number"
        NOTHING_OWED = "nothing_owed", "Finish them without a number: nothing owed"

    draft_grace_hours = models.PositiveSmallIntegerField(
        default=24,
        validators=[MaxValueValidator(MAX_GRACE_HOURS)],
        help_text="How long a draft stays open for late events and a second look before it is finalized. 0 to 72.",
    )
    zero_invoices = models.CharField(
        max_length=12,
        choices=ZeroInvoices.choices,
        default=ZeroInvoices.ISSUE,
        help_text="Invoices all of whose lines are zero.",
    )
    brake_on_negative_total = models.BooleanField("negative total", default=True)
    brake_on_lines_above = models.PositiveIntegerField(
        "more lines than", null=True, blank=True, default=500, validators=[MinValueValidator(1)]
    )
    brake_on_total_factor = models.DecimalField(
        "total more than this many times the mean",
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        default=Decimal(10),
        validators=[MinValueValidator(Decimal(1))],
        help_text="Of the customer's last six invoices in the currency.",
    )
    brake_on_total_invoices = models.PositiveSmallIntegerField(
        "once there are so many of them",
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(6)],
    )
    brake_on_usage_gone = models.BooleanField(
        "usage that fell to zero", default=True, help_text="Of a meter with usage on the invoice before."
    )
    brake_on_quarantine = models.BooleanField("usage in quarantine", default=True)
    brake_on_unpriced = models.BooleanField("usage that no price takes", default=True)
    brake_on_double_charge = models.BooleanField("two charges for one price and time", default=True)

    class Meta:
        verbose_name = verbose_name_plural = "billing settings"
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="billing_settings_one_row"),
            models.CheckConstraint(
                condition=Q(draft_grace_hours__lte=MAX_GRACE_HOURS), name="draft_grace_at_most_72"
            ),
            models.CheckConstraint(
                condition=Q(brake_on_total_factor__isnull=True) | Q(brake_on_total_factor__gte=1),
                name="brake_factor_at_least_one",
            ),
        ]

    def __str__(self) -> str:
        return "Billing settings"
