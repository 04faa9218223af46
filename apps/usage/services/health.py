"""Count what came in, minute by minute, in the transaction that stores it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from apps.core import clock
from apps.usage.services.pack import execute
from apps.usage.services.validate import micros_of
from apps.usage.wire.verdict import Verdict

LATE = timedelta(hours=1)
SLOTS = 64
# Long enough to compare a day with the same one of the four weeks before.
KEPT = timedelta(days=35)

# Each connection has a slot of its own, more or less, so that batches don't wait for each other's row.
COUNT = f"""
INSERT INTO usage_ingestionminute AS total
       (bucket, slot, batches, accepted, duplicates, conflicts, quarantined, rejected, late, lag_ms)
VALUES (date_trunc('minute', %s::timestamptz), pg_backend_pid() %% {SLOTS}, 1, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (bucket, slot) DO UPDATE
   SET batches = total.batches + 1,
       accepted = total.accepted + excluded.accepted,
       duplicates = total.duplicates + excluded.duplicates,
       conflicts = total.conflicts + excluded.conflicts,
       quarantined = total.quarantined + excluded.quarantined,
       rejected = total.rejected + excluded.rejected,
       late = total.late + excluded.late,
       lag_ms = total.lag_ms + excluded.lag_ms
"""


def count(verdicts: Sequence[Verdict], accepted_micros: Sequence[int], *, now: datetime) -> None:
    """`accepted_micros` is when the accepted events were, in microseconds since 1970.

    `now` is the tenant's clock, which ages are measured by; the minute is one of real time.
    """
    accepted = len(accepted_micros)
    counted = (
        Counter({"accepted": accepted})
        if accepted == len(verdicts)
        else Counter(one.status for one in verdicts)
    )
    present = micros_of(now)
    on_time = present - LATE // timedelta(microseconds=1)
    execute(
        COUNT,
        [
            clock.real_now(),
            counted["accepted"],
            counted["duplicate"],
            counted["conflict"],
            counted["quarantined"],
            counted["rejected"],
            sum(micros < on_time for micros in accepted_micros),
            max(0, present * accepted - sum(accepted_micros)) // 1000,
        ],
    )


def forget_old_minutes(now: datetime) -> int:
    """A due job by the machine's clock, as the minutes are. Returns 0, for it is no step of the tenant's own time."""
    execute("DELETE FROM usage_ingestionminute WHERE bucket < %s", [clock.real_now() - KEPT])
    return 0
