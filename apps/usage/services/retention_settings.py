"""Change how a tenant's usage is taken in and kept."""

from datetime import datetime, timedelta

from apps.core.errors import Invalid
from apps.usage.models import ArchivedPartition, UsageSettings

DAY = timedelta(days=1)


def change_usage_settings(
    *, backdating_days: int, partition_span: str, retention_days: int | None, now: datetime
) -> UsageSettings:
    """Raises `Invalid` when events could be reported whose keys are gone: a repeat would count twice.

    Either because they would be dropped while they may still come, or because they have been dropped and the
    limit for backdating now reaches back to them. Archives are for good, so it can't reach further than them.
    """
    if retention_days is not None and retention_days < backdating_days:
        raise Invalid(
            "kept_shorter_than_backdating",
            f"Events may be {backdating_days} days old when they are reported, so keep them at least as long.",
            param="/retention_days",
        )
    kept_from = ArchivedPartition.events_kept_from()
    if kept_from is not None and now - backdating_days * DAY < kept_from:
        raise Invalid(
            "backdating_reaches_archives",
            f"Events before {kept_from:%-d %b %Y} are archived, and repeats of them could not be told any more."
            f" {max(0, (now - kept_from) // DAY)} days are the most at present.",
            param="/backdating_days",
        )
    changed, _ = UsageSettings.objects.update_or_create(
        pk=1,
        defaults={
            "backdating_days": backdating_days,
            "partition_span": partition_span,
            "retention_days": retention_days,
        },
    )
    return changed
