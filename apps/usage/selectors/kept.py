"""Which questions still have their events."""

from collections.abc import Iterable
from datetime import datetime

from apps.core.errors import Refused
from apps.usage.models import ArchivedPartition


class EventsArchived(RuntimeError):
    """Totals were to be read anew from events that are archived. They stay as they are: an error of ours."""


def require_events(since: datetime) -> None:
    """The last safety before totals are overwritten by what can still be read. Raises `EventsArchived`."""
    kept_from = ArchivedPartition.events_kept_from()
    if kept_from is not None and since < kept_from:
        raise EventsArchived(
            f"Totals of {since.isoformat()} can't be read anew: events begin at {kept_from.isoformat()}."
        )


def refuse_archived(instants: Iterable[datetime]) -> None:
    """A question that reads single events from these instants on must find them, or it would be answered too low.

    Raises `Refused` events_archived. No query when there is no such instant.
    """
    earliest = min(instants, default=None)
    if earliest is None:
        return
    kept_from = ArchivedPartition.events_kept_from()
    if kept_from is not None and earliest < kept_from:
        raise Refused(
            "events_archived",
            f"Events from before {kept_from:%Y-%m-%d} were archived and only totals of whole hours are left; ask for"
            " a period that begins and ends with an hour, or read the archive.",
        )
