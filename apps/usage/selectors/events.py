"""Single events."""

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from apps.core.errors import Missing
from apps.usage.models import UsageEvent
from apps.usage.selectors.sql import HOUR_OF
from apps.usage.standing import standing_of


def event_by_identity(*, event_id: str, source: str = "") -> UsageEvent:
    """The event that the id stands for, with its shape and customer: the latest revision, or what was voided last.

    Raises `Missing` event_not_found.
    """
    standing = standing_of(event_id=event_id, source=source)
    if standing is None:
        raise Missing("event_not_found", f"No event {event_id!r} has been accepted.")
    return standing.event


def latest_events(customer_id: int) -> QuerySet[UsageEvent]:
    """A customer's events, the latest first, with their shapes; to be sliced.

    By hour first: that is the order of the index, so that only the events of a few hours are read and sorted.
    """
    events = UsageEvent.objects.filter(customer_id=customer_id).select_related("shape", "customer")
    return events.order_by(
        RawSQL(HOUR_OF.format('usage_usageevent."timestamp"'), ()).desc(), "-timestamp", "event_id"
    )
