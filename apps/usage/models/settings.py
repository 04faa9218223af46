"""How a tenant's usage is taken in and kept."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

DEFAULT_BACKDATING_DAYS = 35
MAX_BACKDATING_DAYS = 400


class UsageSettings(models.Model):
    """One row a tenant; without it the defaults hold."""

    class PartitionSpan(models.TextChoices):
        DAY = "day", "A day"
        MONTH = "month", "A month"

    backdating_days = models.PositiveSmallIntegerField(
        default=DEFAULT_BACKDATING_DAYS,
        validators=[MaxValueValidator(MAX_BACKDATING_DAYS)],
        help_text="How old an event may be when it is reported. Older ones go through a backfill. At most 400.",
    )
    partition_span = models.CharField(
        max_length=5,
        choices=PartitionSpan.choices,
        default=PartitionSpan.MONTH,
        help_text="A day for very many events, so that old ones can be dropped day by day.",
    )
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Events older than this are archived and dropped once no open invoice needs them. Empty: never.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "usage settings"
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="usage_settings_one_row"),
            models.CheckConstraint(
                condition=Q(backdating_days__lte=MAX_BACKDATING_DAYS), name="usage_backdating_at_most_400"
            ),
            models.CheckConstraint(
                condition=Q(partition_span__in=["day", "month"]), name="usage_partition_span"
            ),
            models.CheckConstraint(
                condition=Q(retention_days__isnull=True) | Q(retention_days__gte=F("backdating_days")),
                name="usage_kept_longer_than_backdating",
                violation_error_message="Keep events at least as long as they may be backdated.",
            ),
        ]

    def __str__(self) -> str:
        return "Usage settings"
