"""Invoices. Once finalized, a trigger lets nothing change but what happens to the debt: status and payment."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.core.fields import AmountField
from apps.core.models import PublicModel
from apps.core.money import money_display, money_text
from apps.customers.models import Customer
from apps.invoices.models.entity import LegalEntity
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

    class PaymentStatus(models.TextChoices):
        """What became of the money, apart from what the document is."""

        UNPAID = "unpaid", "Unpaid"
        PROCESSING = "processing", "Processing"
        PAID = "paid", "Paid"
        FAILED = "failed", "Failed"
        NOTHING_OWED = "nothing_owed", "Nothing owed"

    class Kind(models.TextChoices):
        CYCLE = "cycle", "End of a period"
        OPENING = "opening", "Start of the subscription"
        ONE_OFF = "one_off", "One-off charge"
        THRESHOLD = "threshold", "Threshold reached"
        LATE = "late", "Late usage after the end"

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.CYCLE)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="invoices")
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="invoices")
    status = models.CharField(max_length=14, choices=Status.choices, default=Status.DRAFT)
    # Why and since when it is paid, void or uncollectible.
    status_reason = models.TextField(blank=True)
    status_changed_at = models.DateTimeField(null=True)
    payment_status = models.CharField(
        max_length=12, choices=PaymentStatus.choices, default=PaymentStatus.UNPAID
    )
    payment_reference = models.CharField(max_length=120, blank=True)
    # The brakes held it since then; None once every reason is released, or none is left.
    parked_at = models.DateTimeField(null=True)
    # The void invoice in whose place it was made; `reissued_as` leads the other way.
    reissue_of = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="reissued_as"
    )
    legal_entity = models.ForeignKey(LegalEntity, models.PROTECT, null=True, related_name="invoices")
    # Taken when the invoice is finalized, without gaps within a series. None when nothing was owed.
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
    # While it is a draft: empty stands for the customer's or the entity's.
    memo = models.TextField(blank=True, max_length=1000)
    purchase_order_number = models.CharField(max_length=80, blank=True)
    # The parties as they were when the invoice was finalized.
    seller_name = models.CharField(max_length=200, blank=True)
    seller_address = models.TextField(blank=True)
    seller_tax_id = models.TextField(blank=True)
    customer_name = models.CharField(max_length=200, blank=True)
    customer_address = models.TextField(blank=True)
    customer_tax_id = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "kind", "period_start"],
                condition=~Q(status="void") & ~Q(kind="threshold"),
                name="invoice_period_billed_once",
            ),
            # A cycle may reach its threshold many times, at one instant once; and the next time after the last is
            # issued, so that what one charges is never a guess for another.
            models.UniqueConstraint(
                fields=["subscription", "period_start", "period_end"],
                condition=~Q(status="void") & Q(kind="threshold"),
                name="invoice_threshold_once",
            ),
            models.UniqueConstraint(
                fields=["subscription", "period_start"],
                condition=Q(status="draft", kind="threshold"),
                name="invoice_threshold_one_draft",
            ),
            models.CheckConstraint(
                condition=Q(period_start__lt=F("period_end")), name="invoice_period_in_order"
            ),
            models.CheckConstraint(
                condition=Q(status="draft", number__isnull=True, finalized_at__isnull=True)
                | (~Q(status="draft") & Q(number__isnull=False, finalized_at__isnull=False))
                | Q(
                    status="paid",
                    payment_status="nothing_owed",
                    number__isnull=True,
                    total=0,
                    finalized_at__isnull=False,
                ),
                name="invoice_number_fits_status",
            ),
            models.CheckConstraint(
                condition=Q(status="paid", payment_status__in=["paid", "nothing_owed"])
                | (~Q(status="paid") & Q(payment_status__in=["unpaid", "processing", "failed"])),
                name="invoice_payment_fits_status",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "open"])
                | Q(
                    status_changed_at__isnull=False,
                ),
                name="invoice_end_has_instant",
            ),
            models.CheckConstraint(
                condition=Q(parked_at__isnull=True) | Q(status="draft"), name="invoice_parked_is_draft"
            ),
        ]
        indexes = [
            models.Index(fields=["finalize_due_at"], name="invoice_draft_due", condition=Q(status="draft")),
            models.Index(fields=["customer", "-id"], name="invoice_customer"),
            models.Index(fields=["parked_at"], name="invoice_parked", condition=Q(parked_at__isnull=False)),
        ]

    def __str__(self) -> str:
        if self.number:
            return self.number
        return f"Draft for {self.customer}" if self.is_draft else f"Nothing owed by {self.customer}"

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.DRAFT

    @property
    def is_parked(self) -> bool:
        return self.parked_at is not None

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
