"""What becomes due by the clock in usage: partitions ahead of their time."""

from apps.core.jobs import register_due_job
from apps.usage.services import partitions


def register_usage_jobs() -> None:
    # First of all: whatever the other jobs write finds its place.
    register_due_job(
        name="make_partitions", rank=1, next_due_at=partitions.next_making_at, run=partitions.make_ahead
    )
