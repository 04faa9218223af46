"""What came in, added up over slots and minutes. Minutes are those of real time, also in a sandbox."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Sum

from apps.usage.models import IngestionMinute

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
COLUMNS = ("accepted", "duplicates", "conflicts", "quarantined", "rejected", "late", "lag_ms")
SERIES = f"""
SELECT date_trunc(%s, bucket), {", ".join(f"sum({name})::bigint" for name in COLUMNS)}
  FROM usage_ingestionminute WHERE bucket >= %s AND bucket < %s GROUP BY 1
"""
# The same stretch of former days: a few ranges of the primary key, whatever else there is.
FORMER = """
SELECT (SELECT sum(accepted)::bigint FROM usage_ingestionminute
         WHERE bucket >= %s - day * interval '1 day' AND bucket < %s - day * interval '1 day')
  FROM generate_series(1, %s) AS day
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of a stretch of time. `late` ones and what `lag_ms` adds up are of the accepted events."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    quarantined: int = 0
    rejected: int = 0
    late: int = 0
    lag_ms: int = 0

    @property
    def total(self) -> int:
        return self.accepted + self.duplicates + self.conflicts + self.quarantined + self.rejected

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in COLUMNS))


NOTHING = Counts()


def counts_between(now: datetime, span: timedelta = DAY) -> Counts:
    """Of the `span` before `now`; one query."""
    row = IngestionMinute.objects.filter(bucket__gte=now - span, bucket__lt=now).aggregate(
        **{name: Sum(name) for name in COLUMNS}
    )
    return Counts(*(int(row[name] or 0) for name in COLUMNS))


def minutes_between(start: datetime, end: datetime) -> dict[datetime, Counts]:
    """By minute; those in which nothing came in are left out."""
    return series("minute", start, end)


def hours_between(start: datetime, end: datetime) -> dict[datetime, Counts]:
    """By hour (UTC)."""
    return series("hour", start, end)


def series(unit: str, start: datetime, end: datetime) -> dict[datetime, Counts]:
    with connection.cursor() as cursor:
        cursor.execute(SERIES, [unit, start, end])
        return {bucket: Counts(*map(int, row)) for bucket, *row in cursor.fetchall()}


def accepted_on_former_days(start: datetime, end: datetime, *, days: int) -> list[int]:
    """Accepted events of the same stretch a day ago, two days ago …; days on which nothing came in are left out."""
    with connection.cursor() as cursor:
        cursor.execute(FORMER, [start, end, days])
        return [int(accepted) for (accepted,) in cursor.fetchall() if accepted]
