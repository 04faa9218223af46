"""Invoice lines: each stores what produced it, so that it can be computed again and explained."""

from django.db import models
from django.db.models import F, Q

from apps.catalog.models import Price
from apps.core.fields import AmountField, QuantityField, RateField, UnroundedAmountField
from apps.core.money import money_display, money_text
from apps.invoices.models.invoice import Invoice
from apps.invoices.models.one_off import OneOffCharge


class InvoiceLine(models.Model):
    class Kind(models.TextChoices):
        FLAT = "flat", "Fee"
        USAGE = "usage", "Usage"
        ADJUSTMENT = "adjustment", "Late usage"
        CREDIT = "credit", "Credit"
        CHARGE = "charge", "One-off charge"
        # What threshold invoices of the same cycle charged, taken off.
        BILLED_AHEAD = "billed_ahead", "Billed ahead"

    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    # What asks for it: a price of a plan, or a one-off charge.
    price = models.ForeignKey(Price, models.PROTECT, null=True, related_name="invoice_lines")
    one_off = models.ForeignKey(OneOffCharge, models.PROTECT, null=True, related_name="invoice_lines")
    description = models.CharField(max_length=250)
    # The period the line is for; an adjustment's lies before the invoice's.
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()  # exclusive
    quantity = QuantityField(null=True)
    unit = models.CharField(max_length=40, blank=True)
    unit_amount = RateField(null=True)
    event_count = models.BigIntegerField(null=True)
    unrounded_amount = UnroundedAmountField()
    amount = AmountField()
    # The rows of the explanation, as rating gave them.
    steps = models.JSONField(default=list)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_once"),
            models.UniqueConstraint(
                fields=["invoice", "price", "period_start", "kind"], name="invoice_line_price_and_period_once"
            ),
            models.UniqueConstraint(fields=["invoice", "one_off"], name="invoice_line_one_off_once"),
            models.CheckConstraint(
                condition=Q(period_start__lt=F("period_end")), name="invoice_line_period_in_order"
            ),
            models.CheckConstraint(
                condition=Q(kind="charge", price__isnull=True, one_off__isnull=False)
                | (~Q(kind="charge") & Q(price__isnull=False, one_off__isnull=True)),
                name="invoice_line_price_or_one_off",
            ),
        ]

    def __str__(self) -> str:
        return self.description

    @property
    def amount_text(self) -> str:
        return money_text(self.amount, self.invoice.currency)

    @property
    def amount_display(self) -> str:
        return money_display(self.amount, self.invoice.currency)
