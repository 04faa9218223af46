"""The body of POST /events, with limits of its own."""

from typing import Any

from django.conf import settings

from apps.core.api.parsers import TooLarge
from apps.core.errors import Invalid


def events_of(body: Any) -> list[Any]:
    """Take the list out of `{"events": […]}`. Raises `Invalid` invalid_body, `TooLarge` too_many_events."""
    events = body.get("events") if isinstance(body, dict) else None
    if not isinstance(events, list):
        raise Invalid("invalid_body", 'Send {"events": [ … ]}.', param="/events")
    if not events:
        raise Invalid("invalid_body", "The list of events is empty.", param="/events")
    if len(events) > settings.INGESTION_MAX_EVENTS:
        raise TooLarge(
            "too_many_events",
            f"A request takes at most {settings.INGESTION_MAX_EVENTS} events, not {len(events)}; none was stored.",
            param="/events",
        )
    return events
