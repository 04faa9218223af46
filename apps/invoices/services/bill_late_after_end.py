"""Bill usage that came after the last invoice of a subscription that has ended, on an invoice of its own."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from apps.audit.services.record import record
from apps.core.errors import Refused
from apps.core.money import money_display
from apps.invoices.models import Invoice
from apps.invoices.selectors import drafts_taking_late_usage
from apps.invoices.services.close_batch import store_drafts
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.draft import given_reason
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.timeline import MICROSECOND


@transaction.atomic
def bill_late_after_end(
    *, subscription: Subscription, reason: str, now: datetime, total: Decimal | None = None
) -> Invoice:
    """Draft an invoice of the difference, which is finalized after its grace period like any other.

    It is computed again then, so what comes meanwhile is on it. Void, it charged nothing, and the usage waits again.
    `total` is what the person saw, so that nobody bills another amount. Raises `Refused` not_ended, draft_waits,
    nothing_late, total_changed; `Invalid` reason_missing. The row is locked, so that of two who bill it one does.
    """
    why = given_reason(reason)
    held = Subscription.objects.select_for_update().get(pk=subscription.pk)
    if held.status != Subscription.Status.ENDED:
        raise Refused("not_ended", f"{held} has not ended: its next invoice takes late usage.")
    if drafts_taking_late_usage().filter(subscription=held).exists():
        raise Refused("draft_waits", "A draft of the subscription takes the late usage when it is finalized.")
    computed = compute_invoice(
        subscription=held, period=period_of(held, now), as_of=now, kind=Invoice.Kind.LATE
    )
    if not computed.lines:
        raise Refused("nothing_late", "No usage came after the last invoice, or somebody has billed it.")
    if total is not None and computed.total != total:
        amount = money_display(computed.total, computed.currency)
        raise Refused("total_changed", f"It is {amount} by now; look at it once more.", param="/total")
    [draft] = store_drafts([computed], now)
    record(
        action="invoice.late_usage_billed",
        target=draft,
        reason=why,
        changes={
            "subscription": held.public_id,
            "total": str(draft.total),
            "currency": draft.currency,
        },
    )
    return draft


def period_of(subscription: Subscription, now: datetime) -> Period:
    """When it came: since the end, or since the last such invoice."""
    start = subscription.ends_at
    assert start is not None
    same = Invoice.objects.filter(subscription=subscription, kind=Invoice.Kind.LATE)
    last = same.exclude(status=Invoice.Status.VOID).order_by("-period_end").first()
    if last is not None:
        start = last.period_end
    return Period(start, max(now, start + MICROSECOND))
