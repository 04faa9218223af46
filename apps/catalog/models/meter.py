"""Meters turn usage events into quantities."""

from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxLengthValidator, MinValueValidator
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import Exact

from apps.catalog.expression import MAX_LENGTH
from apps.core import clock
from apps.core.fields import RateField
from apps.core.validators import code_validator

MAX_DIMENSIONS = 8
# What makes a meter's definition: frozen once it is active.
DEFINITION = ("event_name", "aggregation", "value_property", "value_expression", "filters", "dimensions")


class Meter(models.Model):
    """Each event named `event_name` that its filters let pass feeds every meter of that name.

    A draft counts too, so that staff can watch it, but no published price may use it.
    """

    class Aggregation(models.TextChoices):
        SUM = "sum", "Sum"
        COUNT = "count", "Number of events"
        MAX = "max", "Maximum"
        MIN = "min", "Minimum"
        LATEST = "latest", "Latest"
        UNIQUE_COUNT = "unique_count", "Number of different values"
        TIME_WEIGHTED_SUM = "time_weighted_sum", "Time-weighted sum"

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        ACTIVE = "active", "Active"

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    event_name = models.CharField(
        max_length=127,
        help_text="Events of this name are counted. What has been counted keeps the name it was counted by.",
    )
    aggregation = models.CharField(max_length=20, choices=Aggregation.choices, default=Aggregation.SUM)
    value_property = models.CharField(
        max_length=127, blank=True, help_text="The event's property that is read, e.g. input_tokens."
    )
    value_expression = models.CharField(
        max_length=MAX_LENGTH,
        blank=True,
        help_text="Instead of a property, a formula: input_tokens + 5 * output_tokens. Knows + - * /, min and max.",
    )
    filters = models.JSONField(
        default=list, blank=True, help_text="Only events for which all of them hold are counted."
    )
    dimensions = ArrayField(
        models.CharField(max_length=127),
        default=list,
        blank=True,
        validators=[MaxLengthValidator(MAX_DIMENSIONS)],
        help_text="Properties to group usage by, e.g. model, region. At most eight, separated by commas.",
    )
    # Counts the changes of a draft's definition.
    definition_version = models.PositiveIntegerField(default=1, editable=False)
    unit = models.CharField(max_length=40, default="unit", help_text="One of what is counted, e.g. token.")
    display_unit = models.CharField(
        max_length=40, blank=True, help_text="What people read, when the unit is too small: M tokens."
    )
    display_unit_size = RateField(
        default=Decimal(1),
        validators=[MinValueValidator(Decimal("0.000000000000000001"))],
        help_text="How many units are one of those: 1000000.",
    )
    cardinality_warning_from = models.PositiveIntegerField(
        "warn from",
        default=10_000,
        validators=[MinValueValidator(1)],
        help_text="So many different sets of dimension values in use: staff are warned before it gets slow.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(aggregation="count", value_property="", value_expression="")
                    | (Q(aggregation="unique_count", value_expression="") & ~Q(value_property=""))
                    | (
                        Q(aggregation__in=["sum", "max", "min", "latest", "time_weighted_sum"])
                        & (
                            (Q(value_property="") & ~Q(value_expression=""))
                            | (~Q(value_property="") & Q(value_expression=""))
                        )
                    )
                ),
                name="meter_value_fits_aggregation",
                violation_error_message=(
                    "A count reads nothing, a number of different values one property, and every other meter a"
                    " property or an expression."
                ),
            ),
            models.CheckConstraint(condition=Q(status__in=["draft", "active"]), name="meter_status"),
            models.CheckConstraint(
                condition=Exact(
                    Func(F("filters"), function="jsonb_typeof", output_field=models.CharField()), "array"
                ),
                name="meter_filters_are_a_list",
            ),
            models.CheckConstraint(
                condition=Q(dimensions__len__lte=MAX_DIMENSIONS), name="meter_has_at_most_eight_dimensions"
            ),
            models.CheckConstraint(
                condition=Q(display_unit_size__gt=0) & (~Q(display_unit="") | Q(display_unit_size=1)),
                name="meter_display_unit_has_a_size",
                violation_error_message="A size above zero belongs to a display unit, and only to one.",
            ),
            models.CheckConstraint(
                condition=Q(cardinality_warning_from__gte=1, definition_version__gte=1),
                name="meter_counts_from_one",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_draft(self) -> bool:
        return self.status == self.Status.DRAFT

    @property
    def is_additive(self) -> bool:
        """Whether the total of two parts is their sum."""
        return self.aggregation in (self.Aggregation.SUM, self.Aggregation.COUNT)

    def definition(self) -> dict[str, Any]:
        """What it measures, by column."""
        return {name: getattr(self, name) for name in DEFINITION}
