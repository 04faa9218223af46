"""What waits in quarantine, put together by what it waits for."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from apps.catalog.selectors import meters_by_event_name
from apps.customers.selectors import customer_ids_by_reference
from apps.usage.models import QuarantinedEvent

# A page must not add up millions of rows; beyond that the sums are at least so much.
COUNTED_AT_MOST = 100_000
GROUPS = """
SELECT reason, customer_reference, event_name, count(*), min(received_at)
  FROM (SELECT reason, customer_reference, event_name, received_at FROM usage_quarantinedevent
         WHERE status = 'waiting' LIMIT %s) AS waiting
 GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class WaitingGroup:
    """Events with one reason, customer and name. `customer_id` is set once such a customer exists.

    `is_ready`: customer and meter are known by now, so that a replay can let them count.
    """

    reason: str
    customer_reference: str
    event_name: str
    count: int
    oldest: datetime
    customer_id: int | None
    is_ready: bool


def waiting_groups() -> list[WaitingGroup]:
    """Of at most COUNTED_AT_MOST events; three queries."""
    with connection.cursor() as cursor:
        cursor.execute(GROUPS, [COUNTED_AT_MOST])
        rows = cursor.fetchall()
    customers = customer_ids_by_reference({row[1] for row in rows}) if rows else {}
    metered = meters_by_event_name() if rows else {}
    return [
        WaitingGroup(
            reason,
            customer,
            name,
            count,
            oldest,
            customers.get(customer),
            customer in customers and name in metered and reason != QuarantinedEvent.Reason.EVENTS_ARCHIVED,
        )
        for reason, customer, name, count, oldest in rows
    ]


@dataclass(frozen=True, slots=True)
class Tally:
    """Groups with one thing in common: `name` is a reason, a customer's reference or an event's name."""

    name: str
    count: int
    oldest: datetime


def tallies(groups: Iterable[WaitingGroup], attribute: str) -> list[Tally]:
    """By one attribute, the largest first; of those as large the one that waits longest."""
    counts: Counter[str] = Counter()
    oldest: dict[str, datetime] = {}
    for group in groups:
        name = getattr(group, attribute)
        counts[name] += group.count
        oldest[name] = min(group.oldest, oldest.get(name, group.oldest))
    found = [Tally(name, count, oldest[name]) for name, count in counts.items()]
    return sorted(found, key=lambda one: (-one.count, one.oldest, one.name))
