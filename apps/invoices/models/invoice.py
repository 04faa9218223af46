"""Invoices. Once finalized, a trigger lets nothing change but what happens to the debt: status and payment."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.fields import AmountField
from apps.core.models import PublicModel
from apps.core.money import money_display, money_text
from apps.customers.models import Customer
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period


class Invoice(PublicModel):
    ID_PREFIX: ClassVar[str] = "inv"

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        PAID = "paid", "Paid"
        VOID = "void", "Void"
        UNCOLLECTIBLE = "uncollectible", "Uncollectible"

    class Kind(models.TextChoices):
        CYCLE = "cycle", "End of a period"
        OPENING = "opening", "Start of the subscription"

    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.CYCLE)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="invoices")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="invoices")
    status = models.CharField(max_length=14, choices=Status.choices, default=Status.DRAFT)
    # Taken when the invoice is finalized, without gaps within a year.
    number = models.CharField(max_length=32, null=True, blank=True, unique=True)
    currency = models.CharField(max_length=3)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()  # exclusive
    subtotal = AmountField()
    total = AmountField()
    # Usage of the period that no price took, for staff: meter, dimensions, period, quantity, event_count.
    unpriced = models.JSONField(default=list, blank=True)
    # Usage was read at this instant; what comes later joins the next invoice.
    usage_cutoff_at = models.DateTimeField()
    finalize_due_at = models.DateTimeField()
    finalized_at = models.DateTimeField(null=True)
    due_on = models.DateField("due", null=True)
    # The parties as they were when the invoice was finalized.
    seller_name = models.CharField(max_length=200, blank=True)
    seller_address = models.TextField(blank=True)
    seller_tax_id = models.CharField(max_length=40, blank=True)
    customer_name = models.CharField(max_length=200, blank=True)
    customer_address = models.TextField(blank=True)
    customer_tax_id = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "kind", "period_start"],
                condition=~Q(status="void"),
                name="invoice_period_billed_once",
            ),
            models.CheckConstraint(
                condition=Q(period_start__lt=F("period_end")), name="invoice_period_in_order"
            ),
            models.CheckConstraint(
                condition=Q(status="draft", number__isnull=True, finalized_at__isnull=True)
                | (~Q(status="draft") & Q(number__isnull=False, finalized_at__isnull=False)),
                name="invoice_number_fits_status",
            ),
        ]
        indexes = [
            models.Index(fields=["finalize_due_at"], name="invoice_draft_due", condition=Q(status="draft")),
            models.Index(fields=["customer", "-id"], name="invoice_customer"),
        ]

    def __str__(self) -> str:
        return self.number or f"Draft for {self.customer}"

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.DRAFT

    @property
    def period(self) -> Period:
        return Period(self.period_start, self.period_end)

    @property
    def subtotal_text(self) -> str:
        return money_text(self.subtotal, self.currency)

    @property
    def total_text(self) -> str:
        return money_text(self.total, self.currency)

    @property
    def total_display(self) -> str:
        return money_display(self.total, self.currency)
