"""Prices: what one plan version asks for, one row a price. They are frozen with their version."""

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from apps.catalog.models.meter import Meter
from apps.catalog.models.plan import PlanVersion
from apps.core.fields import RateField
from apps.core.validators import code_validator


class Price(models.Model):
    """A flat fee for each period, or an amount for each unit of a meter."""

    class Model(models.TextChoices):
        FLAT = "flat", "Flat fee"
        PER_UNIT = "per_unit", "Per unit"

    plan_version = models.ForeignKey(PlanVersion, models.PROTECT, related_name="prices")
    position = models.PositiveSmallIntegerField(default=0, help_text="Order on the invoice.")
    code = models.CharField(max_length=63, validators=[code_validator])
    name = models.CharField(max_length=120, help_text="What the customer reads on the invoice.")
    model = models.CharField(max_length=24, choices=Model.choices, default=Model.PER_UNIT)
    meter = models.ForeignKey(Meter, models.PROTECT, null=True, blank=True, related_name="prices")
    flat_amount = RateField(null=True, blank=True, validators=[MinValueValidator(Decimal(0))])
    unit_amount = RateField(
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="For one unit. 2.50 per million tokens is 0.0000025.",
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["plan_version", "code"], name="price_code_once_per_version"),
            models.CheckConstraint(
                condition=(
                    # A comparison with NULL is not false, and a CHECK lets pass what is not false.
                    Q(model="flat", meter__isnull=True, unit_amount__isnull=True)
                    & Q(flat_amount__isnull=False, flat_amount__gte=0)
                    | Q(model="per_unit", meter__isnull=False, flat_amount__isnull=True)
                    & Q(unit_amount__isnull=False, unit_amount__gte=0)
                ),
                name="price_columns_fit_its_model",
                violation_error_message=(
                    "A flat fee has a flat amount and no meter; a price per unit has a meter and a unit amount."
                ),
            ),
            # Until prices filter by dimension, two prices of one meter would count each event twice.
            models.UniqueConstraint(
                fields=["plan_version", "meter"],
                condition=Q(meter__isnull=False),
                name="price_meter_once_per_version",
                violation_error_message="This version has a price for this meter already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
