"""Events of a time whose events are archived: none counts any more, also when it waited for a customer or a meter.

Repeats of them can't be told, totals of that time can't be read anew, and invoices look no farther back either. Both
functions are called in the transaction that stores the events: it shares the lock of batches, and retention waits for
those before it drops anything.
"""

from datetime import datetime

from apps.usage.models import ArchivedPartition
from apps.usage.services.reading import Row
from apps.usage.services.validate import micros_of


def parted(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Those that can count, and those that came too late. One query; none without rows."""
    kept_from = ArchivedPartition.events_kept_from() if rows else None
    if kept_from is None:
        return rows, []
    first = micros_of(kept_from)
    return [row for row in rows if row.micros >= first], [row for row in rows if row.micros < first]


def earliest_of(earliest: datetime | None) -> datetime | None:
    """What an import asks for, and no event before those that are kept. None when it asks for nothing."""
    if earliest is None:
        return None
    return max(earliest, ArchivedPartition.events_kept_from() or earliest)
