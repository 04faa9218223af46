"""Meters turn usage events into quantities."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.validators import code_validator

MAX_DIMENSIONS = 8


class Meter(models.Model):
    """Each event named `event_name` feeds every meter of that name: one call, input and output tokens."""

    class Aggregation(models.TextChoices):
        SUM = "sum", "Sum of a property"
        COUNT = "count", "Number of events"

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120)
    event_name = models.CharField(
        max_length=127,
        help_text="Events of this name are counted. What has been counted keeps the name it was counted by.",
    )
    aggregation = models.CharField(max_length=16, choices=Aggregation.choices, default=Aggregation.SUM)
    value_property = models.CharField(
        max_length=127, blank=True, help_text="The event's property that is summed, e.g. input_tokens."
    )
    dimensions = ArrayField(
        models.CharField(max_length=127),
        default=list,
        blank=True,
        validators=[MaxLengthValidator(MAX_DIMENSIONS)],
        help_text="Properties to group usage by, e.g. model, region. At most eight, separated by commas.",
    )
    unit = models.CharField(max_length=40, default="unit", help_text="One of what is counted, e.g. token.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=(Q(aggregation="count") & Q(value_property=""))
                | (~Q(aggregation="count") & ~Q(value_property="")),
                name="meter_value_property_fits_aggregation",
                violation_error_message="A sum needs the property to sum; a count has none.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
