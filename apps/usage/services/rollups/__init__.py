"""The totals of hours and days (UTC), which change in the transaction that stores events.

Sums and counts of a day are an exception: they are added up from its hours when it is over (`roll`). The mark up to
which that was done (`DayMark`) says whether who changes hours changes days as well, and which of them are read.

Whoever changes totals locks their rows in one order: the aggregations in that of `kinds.ORDER`, days before hours,
rows in that of their keys. So writers wait for each other and never in a circle.
"""

from apps.usage.services.rollups.add import add, add_together
from apps.usage.services.rollups.buckets import DAY, HOUR
from apps.usage.services.rollups.rebuild import rebuild_buckets, recompute

__all__ = ["DAY", "HOUR", "add", "add_together", "rebuild_buckets", "recompute"]
