"""One-off charges: what a customer owes, or is given, for something that no plan asks for."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.fields import AmountField, QuantityField, RateField
from apps.core.models import PublicModel
from apps.core.money import money_display, money_text
from apps.subscriptions.models import Subscription


class OneOffCharge(PublicModel):
    """It belongs to the cycle that contains `charged_at`, or is the one line of an invoice of its own.

    A trigger lets nothing change but that it is withdrawn, once; who made it and why is in the audit log.
    """

    ID_PREFIX: ClassVar[str] = "chg"

    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="one_off_charges")
    description = models.CharField(max_length=250)
    quantity = QuantityField()
    # Below zero it is a credit.
    unit_amount = RateField()
    currency = models.CharField(max_length=3)
    # Rounded when it was made, by the rule for lines.
    amount = AmountField()
    charged_at = models.DateTimeField()
    # It has an invoice of its own, whose period begins at charged_at.
    is_billed_at_once = models.BooleanField(default=False)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "one-off charge"
        ordering = ["charged_at", "id"]
        indexes = [
            models.Index(
                fields=["subscription", "charged_at"],
                name="one_off_charge_live",
                condition=Q(withdrawn_at__isnull=True),
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "charged_at"],
                condition=Q(is_billed_at_once=True),
                name="one_off_charge_own_invoice_once",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0) & ~Q(amount=0) & ~Q(description=""),
                name="one_off_charge_is_something",
            ),
            models.CheckConstraint(
                condition=Q(is_billed_at_once=False) | Q(amount__gt=0), name="one_off_charge_no_own_credit"
            ),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def amount_text(self) -> str:
        return money_text(self.amount, self.currency)

    @property
    def amount_display(self) -> str:
        return money_display(self.amount, self.currency)
