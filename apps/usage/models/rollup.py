"""Live totals. They change in the transaction that stores the events; sums and counts of a day when it is over."""

from django.db import models

from apps.core.fields import QuantityField


class DimensionSet(models.Model):
    """One combination of dimension values, e.g. {"model": "gpt-5"}; events and totals name it by its number."""

    key = models.UUIDField(unique=True, editable=False)
    values = models.JSONField()

    class Meta:
        verbose_name = "dimension set"

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.values.items()) or "(none)"


class Rollup(models.Model):
    """The total of one customer, meter and dimension set in the bucket that begins at `bucket` (UTC).

    `quantity` is what the meter's aggregation makes of the bucket alone: a sum, the largest, smallest or latest
    value, the number of different values; for a time-weighted sum the level times microseconds between its first
    and its last event. `last_at` is kept where one value counts, the other two for time-weighted sums alone.
    Unique counts have rows of their own besides.
    """

    customer_id = models.BigIntegerField()
    meter_id = models.BigIntegerField()
    dimension_set_id = models.BigIntegerField()
    bucket = models.DateTimeField()
    quantity = QuantityField()
    event_count = models.BigIntegerField()
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    # Of several values at one instant the largest is the last.
    last_value = QuantityField(null=True)

    class Meta:
        abstract = True


class RollupHour(Rollup):  # noqa: DJ008 - it has no name, only a key
    pk = models.CompositePrimaryKey("customer_id", "meter_id", "bucket", "dimension_set_id")

    class Meta:
        verbose_name = "hourly total"
        indexes = [models.Index(fields=["bucket"], name="usage_rolluphour_bucket")]


class RollupDay(Rollup):  # noqa: DJ008 - it has no name, only a key
    """Whoever reads them goes by the day mark (`DayMark`): sums and counts of later days are not there yet."""

    pk = models.CompositePrimaryKey("customer_id", "meter_id", "bucket", "dimension_set_id")

    class Meta:
        verbose_name = "daily total"
        indexes = [
            models.Index(fields=["bucket"], name="usage_rollupday_bucket"),
            # Which level a dimension set had before a period, however long ago that was.
            models.Index(
                fields=["customer_id", "meter_id", "dimension_set_id", "bucket"],
                name="usage_rollupday_level",
                condition=models.Q(first_at__isnull=False),
            ),
        ]


class UniqueValue(models.Model):
    """One value that a unique count has seen in a bucket. `value_hash` is a 128-bit hash of its text."""

    customer_id = models.BigIntegerField()
    meter_id = models.BigIntegerField()
    dimension_set_id = models.BigIntegerField()
    bucket = models.DateTimeField()
    value_hash = models.UUIDField()
    event_count = models.BigIntegerField()

    class Meta:
        abstract = True


class UniqueHour(UniqueValue):  # noqa: DJ008 - it has no name, only a key
    pk = models.CompositePrimaryKey("customer_id", "meter_id", "bucket", "dimension_set_id", "value_hash")

    class Meta:
        verbose_name = "hourly unique value"


class UniqueDay(UniqueValue):  # noqa: DJ008 - it has no name, only a key
    pk = models.CompositePrimaryKey("customer_id", "meter_id", "bucket", "dimension_set_id", "value_hash")

    class Meta:
        verbose_name = "daily unique value"
