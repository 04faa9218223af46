"""What becomes due by the clock in usage: partitions ahead of their time, old ones that may go, totals, counts."""

from apps.core.jobs import register_due_job
from apps.usage.selectors.holds import meter_backfills_need, open_backfills_need
from apps.usage.services import cardinality, health, partitions, retention
from apps.usage.services.rollups import roll


def register_usage_jobs() -> None:
    # First of all: whatever the other jobs write finds its place.
    register_due_job(
        name="make_partitions", rank=1, next_due_at=partitions.next_making_at, run=partitions.make_ahead
    )
    # Last of all: what the other jobs still need is invoiced by then.
    register_due_job(
        name="retention", rank=90, next_due_at=retention.next_check_at, run=retention.check_retention
    )
    # By the machine's clock, so that they are due at no instant of the tenant's.
    register_due_job(
        name="count_cardinality", rank=95, next_due_at=lambda: None, run=cardinality.count_when_due
    )
    register_due_job(name="roll_days", rank=95, next_due_at=lambda: None, run=roll.roll_when_due)
    register_due_job(name="forget_minutes", rank=95, next_due_at=lambda: None, run=health.forget_old_minutes)
    retention.register_hold("open backfills", open_backfills_need)
    retention.register_hold("meter backfills at work", meter_backfills_need)
