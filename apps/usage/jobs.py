"""What becomes due by the clock in usage: partitions ahead of their time, and old ones that may go."""

from apps.core.jobs import register_due_job
from apps.usage.selectors.holds import meter_backfills_need, open_backfills_need
from apps.usage.services import partitions, retention


def register_usage_jobs() -> None:
    # First of all: whatever the other jobs write finds its place.
    register_due_job(
        name="make_partitions", rank=1, next_due_at=partitions.next_making_at, run=partitions.make_ahead
    )
    # Last of all: what the other jobs still need is invoiced by then.
    register_due_job(
        name="retention", rank=90, next_due_at=retention.next_check_at, run=retention.check_retention
    )
    retention.register_hold("open backfills", open_backfills_need)
    retention.register_hold("meter backfills at work", meter_backfills_need)
