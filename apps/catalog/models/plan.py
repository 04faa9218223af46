"""Plans and their versions. A published version is frozen: a trigger refuses to change it or its prices."""

from django.db import models
from django.db.models import Q

from apps.catalog.models.book import PriceBook
from apps.catalog.models.feature import Product
from apps.core import clock
from apps.core.validators import code_validator, validate_currency


class Plan(models.Model):
    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    product = models.ForeignKey(Product, models.PROTECT, null=True, blank=True, related_name="plans")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PlanVersion(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        ARCHIVED = "archived", "Archived"

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    # None: the plan's general prices, for whoever no book fits.
    price_book = models.ForeignKey(PriceBook, models.PROTECT, null=True, blank=True, related_name="versions")
    # Made for one customer: never on offer to others, whatever its number.
    is_negotiated = models.BooleanField("negotiated", default=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT, editable=False)
    currency = models.CharField(max_length=3, default="USD", validators=[validate_currency])
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
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.number}"

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.DRAFT
