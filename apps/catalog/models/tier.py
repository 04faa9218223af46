"""Tiers of a price. A tier has one bound, `up_to`; the next one begins where it ends, so no gap can exist."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from apps.catalog.models.price import Price
from apps.core.fields import QuantityField, RateField


class PriceTier(models.Model):
    """Ordered by `up_to`, the open one last. Frozen with its version."""

    price = models.ForeignKey(Price, models.PROTECT, related_name="tiers")
    up_to = QuantityField(
        null=True, blank=True, help_text="Inclusive. Empty for the last tier, which is open."
    )
    unit_amount = RateField(null=True, blank=True, validators=[MinValueValidator(Decimal(0))])
    flat_amount = RateField(
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Charged once the tier is entered.",
    )
    rate = models.DecimalField(
        max_digits=20,
        decimal_places=18,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(1))],
        help_text="Of an amount of money: 0.029 is 2.9 %. Only for graduated percentage.",
    )

    class Meta:
        ordering = [models.F("up_to").asc(nulls_last=True)]
        constraints = [
            models.UniqueConstraint(
                fields=["price", "up_to"], name="price_tier_bound_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(up_to__isnull=True) | Q(up_to__gt=0), name="price_tier_bound_above_zero"
            ),
            models.CheckConstraint(
                condition=Q(rate__isnull=True) | Q(rate__range=(0, 1), unit_amount__isnull=True),
                name="price_tier_rate_or_unit_amount",
            ),
            models.CheckConstraint(
                condition=(Q(unit_amount__isnull=True) | Q(unit_amount__gte=0))
                & (Q(flat_amount__isnull=True) | Q(flat_amount__gte=0)),
                name="price_tier_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(unit_amount__isnull=False) | Q(flat_amount__isnull=False) | Q(rate__isnull=False),
                name="price_tier_costs_something",
                violation_error_message="A tier needs a unit amount, a flat amount or a rate; 0 is an amount too.",
            ),
        ]

    def __str__(self) -> str:
        return "beyond" if self.up_to is None else f"up to {self.up_to.normalize():f}"
