"""The verdicts on events that are not simply accepted."""

from apps.usage.models import QuarantinedEvent
from apps.usage.services.validate import ParsedEvent, Rejection
from apps.usage.wire.verdict import Verdict

Reason = QuarantinedEvent.Reason

QUARANTINE = {
    Reason.UNKNOWN_CUSTOMER: (
        "customer",
        "There is no such customer yet; the event is kept and can be replayed.",
    ),
    Reason.UNKNOWN_METER: (
        "event",
        "No meter counts events of this name yet; the event is kept and can be replayed.",
    ),
    Reason.MISSING_VALUE: (
        "properties",
        "No meter reads anything off it; the event is kept and can be replayed.",
    ),
}


def rejected(index: int, event_id: str | None, rejection: Rejection) -> Verdict:
    return Verdict(
        index, event_id, "rejected", rejection.code, f"/events/{index}{rejection.param}", rejection.message
    )


def duplicate(index: int, event_id: str) -> Verdict:
    return Verdict(index, event_id, "duplicate", "duplicate", message="This event is known already.")


def conflict(index: int, event_id: str) -> Verdict:
    return Verdict(
        index,
        event_id,
        "conflict",
        "id_conflict",
        f"/events/{index}/id",
        "Another event has this id already, with other content; the first one stays. Give each event its own id.",
    )


def archived(index: int, event_id: str) -> Verdict:
    return Verdict(
        index,
        event_id,
        "quarantined",
        str(Reason.EVENTS_ARCHIVED.value),
        f"/events/{index}/timestamp",
        "It waited until the events of its time were archived, and can't be counted any more; it is kept.",
    )


def quarantined(event: ParsedEvent, reason: Reason) -> Verdict:
    field, message = QUARANTINE[reason]
    return Verdict(
        event.index,
        event.event_id,
        "quarantined",
        str(reason.value),
        f"/events/{event.index}/{field}",
        message,
    )
