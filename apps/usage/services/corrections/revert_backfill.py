"""Revert a closed backfill: its events count no more, and what it voided counts again."""

from datetime import datetime

from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected

from apps.core.errors import Refused
from apps.usage.models import UsageBackfill, UsageCorrection
from apps.usage.services.corrections import totals, turn
from apps.usage.services.corrections.backfills import Status, locked, refuse_unless
from apps.usage.services.corrections.facts import (
    Kind,
    correct_range,
    given_reason,
    refuse_archived,
    restore_voided_by,
)

DEADLOCK_RETRIES = 3
# Its events that something else counts in the place of since: amended, or replaced by a later backfill.
SUPERSEDED = """
SELECT count(*) FROM usage_backfillevent AS staged
  JOIN usage_voidedevent AS voided ON voided.key = staged.accepted_key
  JOIN usage_usagecorrection AS correction ON correction.id = voided.correction_id
 WHERE staged.backfill_id = %s AND correction.kind <> 'void'
"""
# Events that it voided and whose ids count again since, by another correction.
TAKEN = """
SELECT count(*) FROM usage_voidedevent AS voided
  LEFT JOIN usage_eventrevision AS own ON own.key = voided.key
  JOIN usage_eventrevision AS later ON later.root_key = coalesce(own.root_key, voided.key)
 WHERE voided.correction_id = %(closing)s AND later.correction_id <> %(closing)s AND later.key <> voided.key
   AND NOT EXISTS (SELECT FROM usage_voidedevent AS gone WHERE gone.key = later.key)
"""
# Ids that would count again by an event that it voided, though somebody voided them since.
TAKEN_BACK = """
SELECT DISTINCT voided.event_id FROM usage_voidedevent AS voided
  LEFT JOIN usage_eventrevision AS own ON own.key = voided.key
  JOIN usage_eventrevision AS later ON later.root_key = coalesce(own.root_key, voided.key)
   AND later.revision > coalesce(own.revision, 0)
  JOIN usage_voidedevent AS gone ON gone.key = later.key
  JOIN usage_usagecorrection AS correction ON correction.id = gone.correction_id
 WHERE voided.correction_id = %s AND correction.kind = 'void' ORDER BY 1 LIMIT %s
"""
NAMED = 5
VOID = """
INSERT INTO usage_voidedevent (customer_id, "timestamp", event_id, shape_id, key, voided_at, correction_id)
SELECT accepted_customer_id, "timestamp", event_id, accepted_shape_id, accepted_key, %s, %s
  FROM usage_backfillevent AS staged
 WHERE backfill_id = %s AND accepted_key IS NOT NULL
   AND NOT EXISTS (SELECT FROM usage_voidedevent AS voided WHERE voided.key = staged.accepted_key)
"""


def revert_backfill(*, backfill: UsageBackfill, reason: str, now: datetime) -> UsageBackfill:
    """Undo exactly what closing did. Its events and their ids stay: to report them again, open another backfill.

    Raises `Refused` not_closed; corrected_since when some of its events were amended or replaced, or ids that it
    voided count again: those corrections come first. Also when ids that it voided would count again though somebody
    has voided them since.
    """
    reason = given_reason(reason)
    for _ in range(DEADLOCK_RETRIES):
        try:
            return attempt(backfill, reason=reason, now=now)
        except OperationalError as error:
            if connection.in_atomic_block or not isinstance(error.__cause__, DeadlockDetected):
                raise
    return attempt(backfill, reason=reason, now=now)


@transaction.atomic
def attempt(backfill: UsageBackfill, *, reason: str, now: datetime) -> UsageBackfill:
    turn.take_turn()
    backfill = locked(backfill)
    refuse_unless(backfill, Status.CLOSED)
    refuse_archived(backfill.starts_at)
    closing = UsageCorrection.objects.get(backfill=backfill, kind=Kind.BACKFILL_CLOSED)
    refuse_corrected(backfill, closing)
    reverting = correct_range(
        kind=Kind.BACKFILL_REVERTED,
        backfill=backfill,
        reason=reason,
        now=now,
        changes={name: backfill.outcome.get(name, 0) for name in ("accepted", "voided")},
    )
    with connection.cursor() as cursor:
        cursor.execute(VOID, [now, reverting.pk, backfill.pk])
    hours = totals.hours_of(reverting) | totals.hours_of(closing)
    restore_voided_by(closing)
    totals.rebuild(hours)
    backfill.status = Status.REVERTED
    backfill.ended_at = now
    backfill.save(update_fields=["status", "ended_at"])
    return backfill


def refuse_corrected(backfill: UsageBackfill, closing: UsageCorrection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SUPERSEDED, [backfill.pk])
        superseded = cursor.fetchone()[0]
        cursor.execute(TAKEN, {"closing": closing.pk})
        taken = cursor.fetchone()[0]
        cursor.execute(TAKEN_BACK, [closing.pk, NAMED + 1])
        taken_back = [event_id for (event_id,) in cursor.fetchall()]
    if superseded or taken:
        raise Refused(
            "corrected_since",
            f"{superseded + taken:,} of its events were amended, replaced or reported anew since it was closed;"
            " take those corrections back first.",
        )
    if taken_back:
        named = ", ".join(map(repr, taken_back[:NAMED])) + (" and more" if len(taken_back) > NAMED else "")
        raise Refused(
            "corrected_since",
            f"Reverted, it would let events count again that were voided since: {named}. Void or report anew what is"
            " wrong in its place.",
        )
