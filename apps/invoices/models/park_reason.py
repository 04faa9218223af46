"""Why a draft is held before issue."""

from django.db import models
from django.db.models import Q

from apps.core.fields import QuantityField
from apps.invoices.models.invoice import Invoice

MAX_WORDS = 500


class ParkReason(models.Model):
    """One brake that a draft tripped, or that it could not be computed. A release holds for what was seen: while
    `measure` gets no larger.

    The rows stay with the finalized invoice, so that it can be told who let it pass, and why.
    """

    class Brake(models.TextChoices):
        NEGATIVE_TOTAL = "negative_total", "Negative total"
        MANY_LINES = "many_lines", "Many lines"
        LARGE_TOTAL = "large_total", "Unusually large total"
        USAGE_GONE = "usage_gone", "Usage fell to zero"
        QUARANTINE = "quarantine", "Usage in quarantine"
        UNPRICED = "unpriced", "Usage that no price takes"
        DOUBLE_CHARGE = "double_charge", "Charged twice"
        FAILED = "failed", "Can't be computed"

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="park_reasons")
    brake = models.CharField(max_length=16, choices=Brake.choices)
    words = models.CharField(max_length=MAX_WORDS)
    # How bad it is, in the brake's own unit; more than that trips it again.
    measure = QuantityField()
    found_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    released_measure = QuantityField(null=True)
    # Who pulled the lever and why; the audit log tells the rest.
    release_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["found_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "brake"], name="park_reason_once"),
            models.CheckConstraint(
                condition=Q(released_at__isnull=True) | ~Q(release_reason=""), name="park_release_has_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_brake_display()}: {self.words}"
