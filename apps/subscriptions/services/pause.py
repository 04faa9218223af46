"""Pause and resume. While paused no fees are asked for; usage is shown as unpriced, and never lost."""

from dataclasses import replace
from datetime import datetime
from itertools import takewhile

from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Invalid, Refused
from apps.subscriptions.models import Subscription, SubscriptionPhase
from apps.subscriptions.services import rewrite
from apps.subscriptions.services.rewrite import Piece
from apps.subscriptions.services.when import instant_of, refuse_ended

Treatment = SubscriptionPhase.Treatment


@transaction.atomic
def pause(
    *,
    subscription: Subscription,
    when: str,
    now: datetime,
    at: datetime | None = None,
    resume_at: datetime | None = None,
    reason: str = "",
) -> Subscription:
    """Pause until `resume_at`, or until somebody resumes. Periods go on, and so do the invoices.

    Raises `Refused` already_paused, subscription_ended; `Invalid` invalid_resume_at, and what `instant_of` raises.
    """
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    timeline = subscription.timeline()
    starts_at = instant_of(subscription, timeline, when=when, at=at, now=now)
    if timeline.stage_at(starts_at).treatment == Treatment.PAUSED:
        raise Refused("already_paused", "The subscription is paused then already.", param="/at")
    if resume_at is not None and resume_at <= starts_at:
        raise Invalid("invalid_resume_at", "It resumes after it is paused.", param="/resume_at")

    def paused(piece: Piece) -> Piece:
        if piece.treatment == Treatment.PAUSED:
            return piece
        return replace(piece, treatment=Treatment.PAUSED, resumes_as=piece.treatment)

    pieces = rewrite.pieces_from(subscription, starts_at)
    if resume_at is None:
        pieces = [paused(piece) for piece in pieces]
    else:
        pieces = [
            paused(piece) if piece.starts_at < resume_at else piece
            for piece in rewrite.cut_at(pieces, resume_at)
        ]
    rewrite.write(subscription, starts_at, pieces)
    record(
        action="subscription.paused",
        target=subscription,
        reason=reason,
        changes={
            "starts_at": starts_at.isoformat(),
            "resume_at": resume_at.isoformat() if resume_at else None,
        },
    )
    return subscription


@transaction.atomic
def resume(
    *, subscription: Subscription, when: str, now: datetime, at: datetime | None = None, reason: str = ""
) -> Subscription:
    """End the pause at an instant: what counted before it counts again, be it a trial. Pauses after it stay.

    Raises `Refused` not_paused, subscription_ended, and what `instant_of` raises.
    """
    subscription = rewrite.locked(subscription)
    refuse_ended(subscription)
    timeline = subscription.timeline()
    starts_at = instant_of(subscription, timeline, when=when, at=at, now=now)
    if timeline.stage_at(starts_at).treatment != Treatment.PAUSED:
        raise Refused("not_paused", "The subscription is not paused then.", param="/at")
    pieces = rewrite.pieces_from(subscription, starts_at)
    paused = list(takewhile(lambda piece: piece.treatment == Treatment.PAUSED, pieces))
    pieces = [*map(resumed, paused), *pieces[len(paused) :]]
    rewrite.write(subscription, starts_at, pieces)
    record(
        action="subscription.resumed",
        target=subscription,
        reason=reason,
        changes={"starts_at": starts_at.isoformat()},
    )
    return subscription


def resumed(piece: Piece) -> Piece:
    return replace(piece, treatment=piece.resumes_as or Treatment.BILLED, resumes_as="")
