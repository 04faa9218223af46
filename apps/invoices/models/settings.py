"""Who issues the invoices, and the numbers that were given out."""

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

MAX_GRACE_HOURS = 72


class BillingSettings(models.Model):
    """One row a tenant."""

    legal_name = models.CharField(max_length=200)
    address = models.TextField(blank=True, help_text="As it stands on the invoice, one line a row.")
    tax_id = models.CharField("tax ID", max_length=40, blank=True)
    number_prefix = models.CharField(
        max_length=12,
        validators=[RegexValidator(r"\A[A-Z0-9]{1,12}\Z", "Use 1 to 12 capital letters and digits.")],
        help_text="Invoice numbers read PREFIX-year-000001.",
    )
    draft_grace_hours = models.PositiveSmallIntegerField(
        default=24,
        validators=[MaxValueValidator(MAX_GRACE_HOURS)],
        help_text="How long a draft stays open for late events and a second look before it is finalized. 0 to 72.",
    )
    payment_due_days = models.PositiveSmallIntegerField(default=14)

    class Meta:
        verbose_name = verbose_name_plural = "billing settings"
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="billing_settings_one_row"),
            models.CheckConstraint(
                condition=Q(draft_grace_hours__lte=MAX_GRACE_HOURS), name="draft_grace_at_most_72"
            ),
        ]

    def __str__(self) -> str:
        return self.legal_name


class InvoiceSeries(models.Model):
    """The last number given out in a year. Its row is locked from the taking of a number to the commit: no gap."""

    year = models.PositiveSmallIntegerField(unique=True)
    last_number = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.year}: {self.last_number}"
