"""Calendar months as instants."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

MONTHS_A_YEAR = 12


def calendar_month(instant: datetime, time_zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The month that holds `instant` in a time zone, as `[start, end)` in UTC."""
    return month_start(instant, time_zone, 0), month_start(instant, time_zone, 1)


def month_start(instant: datetime, time_zone: ZoneInfo, offset: int) -> datetime:
    """Local midnight of the first of the month `offset` months after the one that holds `instant`."""
    local = instant.astimezone(time_zone)
    months = local.year * MONTHS_A_YEAR + local.month - 1 + offset
    first = local.date().replace(year=months // MONTHS_A_YEAR, month=months % MONTHS_A_YEAR + 1, day=1)
    return datetime.combine(first, time(), time_zone).astimezone(UTC)
