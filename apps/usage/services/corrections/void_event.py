"""Void an event: it stays, and counts no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from apps.core.errors import Missing, Refused
from apps.usage.models import UsageCorrection
from apps.usage.services.corrections import totals, turn
from apps.usage.services.corrections.facts import Kind, correct_event, given_reason, refuse_archived
from apps.usage.standing import Standing, standing_of


@dataclass(frozen=True, slots=True)
class VoidVerdict:
    """What became of one id of many. `code` and `message` say why it was not voided."""

    id: str
    source: str
    status: str
    code: str = ""
    message: str = ""
    correction: str = ""


@transaction.atomic
def void_event(*, event_id: str, source: str = "", reason: str, now: datetime) -> UsageCorrection:
    """Let an event count no more, whichever revision of it counts now; its totals follow at once.

    A client that sends it again is told `duplicate`: what was taken back on purpose does not come back by a
    retry. Raises `Missing` event_not_found, `Refused` already_voided and events_archived, `Invalid`
    reason_required.
    """
    reason = given_reason(reason)
    turn.take_turn_alone()
    standing = counting(event_id=event_id, source=source)
    correction = correct_event(
        kind=Kind.VOID, standing=standing, reason=reason, now=now, changes={"revision": standing.revision}
    )
    totals.take_out(correction)
    return correction


def void_events(*, identities: Sequence[tuple[str, str]], reason: str, now: datetime) -> list[VoidVerdict]:
    """The same for many ids with their sources, each in a transaction of its own, in their order."""
    given_reason(reason)
    return [
        try_to_void(event_id=event_id, source=source, reason=reason, now=now)
        for event_id, source in identities
    ]


def try_to_void(*, event_id: str, source: str = "", reason: str, now: datetime) -> VoidVerdict:
    """One of them. Raises `Invalid` reason_required, which is said of no event."""
    reason = given_reason(reason)
    try:
        correction = void_event(event_id=event_id, source=source, reason=reason, now=now)
    except Refused as refused:
        return VoidVerdict(event_id, source, "refused", refused.code, refused.message)
    return VoidVerdict(event_id, source, "voided", correction=correction.public_id)


def counting(*, event_id: str, source: str) -> Standing:
    """What the id stands for, if it counts. Call it when it is your turn."""
    standing = standing_of(event_id=event_id, source=source)
    if standing is None:
        raise Missing("event_not_found", f"No event {event_id!r} has been accepted.", param="/id")
    if standing.is_voided:
        raise Refused("already_voided", f"Event {event_id!r} was voided before.", param="/id")
    refuse_archived(standing.event.timestamp)
    return standing
