"""Which questions still have their events."""

from collections.abc import Iterable
from datetime import datetime

from apps.core.errors import Refused
from apps.usage.models import ArchivedPartition


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
