"""Who issues invoices: the tenant's legal entities, each with number series of its own."""

from typing import ClassVar

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from apps.core.models import PublicModel
from apps.core.validators import validate_time_zone
from apps.customers.models import Customer

MAX_DUE_DAYS = 365
MAX_MEMO = 1_000
MAX_PO_NUMBER = 80
TAX_IDS_HELP = "As they stand on the invoice, one a row."


class LegalEntity(PublicModel):
    """One of them is the default: a unique constraint refuses a second, a trigger the absence of one."""

    ID_PREFIX: ClassVar[str] = "ent"

    name = models.CharField(max_length=200)
    address = models.TextField(blank=True, help_text="As it stands on the invoice, one line a row.")
    country = models.CharField(
        max_length=2,
        blank=True,
        validators=[RegexValidator(r"\A[A-Z]{2}\Z", "Write the country's ISO 3166 code, like DE or US.")],
    )
    tax_ids = models.TextField("tax IDs", blank=True, help_text=TAX_IDS_HELP)
    number_prefix = models.CharField(
        max_length=12,
        unique=True,
        validators=[RegexValidator(r"\A[A-Z0-9]{1,12}\Z", "Use 1 to 12 capital letters and digits.")],
        help_text="Invoice numbers read PREFIX-year-000001. Each entity has a prefix of its own.",
    )
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Where its books are kept: the year of an invoice number begins at midnight there.",
    )
    payment_due_days = models.PositiveSmallIntegerField(
        default=14,
        validators=[MaxValueValidator(MAX_DUE_DAYS)],
        help_text="Unless the customer has other terms.",
    )
    memo = models.TextField(
        blank=True, max_length=1000, help_text="Stands on every invoice that has no memo of its own."
    )
    is_default = models.BooleanField(
        "default", default=False, help_text="Issues the invoices of customers that name no other entity."
    )

    class Meta:
        verbose_name_plural = "legal entities"
        ordering = ["-is_default", "name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="legal_entity_one_default"
            ),
            models.CheckConstraint(
                condition=Q(payment_due_days__lte=MAX_DUE_DAYS), name="legal_entity_due_days_at_most_a_year"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def address_text(self) -> str:
        return "\n".join(part for part in (self.address, self.country) if part)


class CustomerTerms(models.Model):
    """How one customer is invoiced, where that is not as everybody else. Without a row the entity's terms hold."""

    customer = models.OneToOneField(Customer, models.PROTECT, related_name="terms", editable=False)
    legal_entity = models.ForeignKey(
        LegalEntity, models.PROTECT, null=True, blank=True, related_name="terms",
        help_text="Empty: the default entity.",
    )  # fmt: skip
    payment_due_days = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(MAX_DUE_DAYS)], help_text="Empty: the entity's."
    )
    purchase_order_number = models.CharField(
        max_length=80, blank=True, help_text="Stands on every invoice that has none of its own."
    )
    memo = models.TextField(blank=True, max_length=1000, help_text="Empty: the entity's.")

    class Meta:
        verbose_name = verbose_name_plural = "invoice terms"
        constraints = [
            models.CheckConstraint(
                condition=Q(payment_due_days__isnull=True) | Q(payment_due_days__lte=MAX_DUE_DAYS),
                name="customer_due_days_at_most_a_year",
            ),
        ]

    def __str__(self) -> str:
        return f"Terms of {self.customer}"


class InvoiceSeries(models.Model):
    """The last number an entity gave out in a year. Its row is locked from the taking of a number to the commit."""

    legal_entity = models.ForeignKey(LegalEntity, models.PROTECT, related_name="series")
    year = models.PositiveSmallIntegerField()
    last_number = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "invoice series"
        constraints = [
            models.UniqueConstraint(fields=["legal_entity", "year"], name="invoice_series_once"),
        ]

    def __str__(self) -> str:
        return f"{self.legal_entity} {self.year}: {self.last_number}"
