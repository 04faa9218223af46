"""Which part of a meter's usage a price takes: `model = gpt-5`, `region in (eu, us)`."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.catalog.models.price import Price


class PriceFilter(models.Model):
    """One dimension of the meter and the values the price takes. Several filters of a price must all match."""

    price = models.ForeignKey(Price, models.PROTECT, related_name="filters")
    dimension = models.CharField(max_length=127)
    values = ArrayField(
        models.CharField(max_length=255), help_text="Separated by commas; usage with any of them is taken."
    )

    class Meta:
        ordering = ["dimension"]
        constraints = [
            models.UniqueConstraint(fields=["price", "dimension"], name="price_filter_dimension_once"),
            models.CheckConstraint(condition=~Q(values=[]), name="price_filter_has_values"),
        ]

    def __str__(self) -> str:
        return f"{self.dimension} in ({', '.join(self.values)})"
