"""Set a subscription aside that can't be billed, and let it go on again."""

from datetime import datetime

from django.db import DataError, transaction
from django.db.models import QuerySet

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.invoices.due import parked_subscriptions
from apps.invoices.models import BillingRun, ParkedSubscription
from apps.invoices.models.parked_subscription import MAX_MESSAGE
from apps.invoices.services.draft import given_reason
from apps.rating import RatingError
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period

MAX_CODE = 80


def park(
    *,
    subscription: Subscription,
    period: Period,
    kind: str,
    error: Exception,
    now: datetime,
    run: BillingRun | None = None,
) -> ParkedSubscription:
    """Note why its invoice can't be made; inside a transaction that holds the subscription's row."""
    code, message = words_of(error)
    known = ParkedSubscription.objects.filter(subscription=subscription).order_by("-id").first()
    is_again = known is not None and (known.kind, known.period_start) == (kind, period.start)
    parked = known if known is not None and known.is_open else ParkedSubscription(subscription=subscription)
    parked.run, parked.kind = run, kind
    parked.period_start, parked.period_end = period.start, period.end
    parked.code, parked.message, parked.parked_at = code, message, now
    parked.tries = known.tries + 1 if known is not None and is_again else 1
    parked.save()
    record(action="subscription.parked", target=subscription, changes={"code": code, "message": message})
    return parked


def words_of(error: Exception) -> tuple[str, str]:
    """A stable code, and a sentence for people."""
    if isinstance(error, RatingError | Refused):
        code, message = error.code, error.message
    elif isinstance(error, DataError):
        code, message = "too_large", "An amount or a quantity is larger than an invoice can hold."
    else:
        # Whoever looks into it finds the rest in the log.
        code, message = "internal_error", f"{type(error).__name__}: {error}"
    # What no column of text holds.
    return code[:MAX_CODE], message.replace("\x00", "")[:MAX_MESSAGE]


@transaction.atomic
def release_parked(*, parked: ParkedSubscription, reason: str, now: datetime) -> ParkedSubscription:
    """Let a subscription be billed again; the next run tries it. Raises `Refused` not_parked."""
    why = given_reason(reason)
    held = ParkedSubscription.objects.select_for_update(of=("self",)).get(pk=parked.pk)
    if not held.is_open:
        raise Refused("not_parked", "It is released already.")
    held.released_at, held.release_reason = now, why
    held.save(update_fields=["released_at", "release_reason"])
    record(
        action="subscription.released",
        target=held.subscription,
        reason=why,
        changes={"code": held.code, "message": held.message, "tries": held.tries},
    )
    return held


def release_all(*, reason: str, now: datetime, wanted: QuerySet[ParkedSubscription] | None = None) -> int:
    """All that are parked now, or the wanted of them, each with an audit entry of its own. Returns how many."""
    given_reason(reason)
    released = 0
    for parked in list((parked_subscriptions() if wanted is None else wanted).order_by("parked_at", "id")):
        try:
            release_parked(parked=parked, reason=reason, now=now)
        except Refused:
            # Somebody was faster.
            continue
        released += 1
    return released
