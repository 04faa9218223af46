"""How finely usage is grouped: what makes totals many, and questions slow."""

from django.db import models

from apps.catalog.models import Meter


class MeterCardinality(models.Model):
    """Of the running month (UTC), counted once an hour.

    `dimension_sets` are those with totals, over all customers; `shapes` those of all events of the meter's name.
    The widest dimension is the one with the most different values among the sets, the widest filter the property
    with the most among the shapes: each value of a property that a filter names makes shapes of its own.
    """

    meter = models.OneToOneField(Meter, models.PROTECT, primary_key=True, related_name="cardinality")
    month_on = models.DateField("month")
    dimension_sets = models.PositiveBigIntegerField()
    shapes = models.PositiveBigIntegerField()
    widest_dimension = models.CharField(max_length=127, blank=True)
    widest_count = models.PositiveBigIntegerField(default=0)
    widest_filter = models.CharField(max_length=127, blank=True)
    widest_filter_count = models.PositiveBigIntegerField(default=0)
    # Real time, which the job goes by.
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name = "cardinality of a meter"

    def __str__(self) -> str:
        return f"{self.meter}: {self.dimension_sets}"
