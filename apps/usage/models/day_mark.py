"""How far the totals of days have come, and whole days as they are to be read."""

from django.db import models
from django.db.models import F, Q

from apps.core.fields import QuantityField


class DayMark(models.Model):
    """One row a tenant. Both are midnights (UTC) and never move back; a trigger sees to it.

    Sums and counts of days come into being when the day is over: `services.rollups.roll` adds up its hours. Before
    `written_before` whatever changes an hour changes its day as well; from there on such days have no totals.
    Before `complete_before` the totals of days are to be read; from there on the hours are. To go by an older mark
    is always right for whoever reads, and never for whoever writes.
    """

    written_before = models.DateTimeField(editable=False)
    complete_before = models.DateTimeField(editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="usage_daymark_one_row"),
            models.CheckConstraint(
                condition=Q(complete_before__lte=F("written_before")),
                name="usage_daymark_written_then_complete",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.complete_before:%Y-%m-%d}"


class DayPart(models.Model):
    """A part of a day's total: the whole of it before the mark, the hours from there on. A view.

    `bucket` is the day. Parts of sums and counts add up; those of other aggregations are put together as hours are.
    """

    pk = models.CompositePrimaryKey("customer_id", "meter_id", "bucket", "dimension_set_id")
    customer_id = models.BigIntegerField()
    meter_id = models.BigIntegerField()
    dimension_set_id = models.BigIntegerField()
    bucket = models.DateTimeField()
    quantity = QuantityField()
    event_count = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "usage_daypart"
        verbose_name = "part of a daily total"

    def __str__(self) -> str:
        return f"{self.bucket:%Y-%m-%d}"
