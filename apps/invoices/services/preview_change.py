"""What a change of a subscription would do to its next invoices: the very verb is run, and undone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from apps.invoices.models import Invoice
from apps.invoices.selectors import drafts
from apps.invoices.services.compute import ComputedInvoice, compute_invoice
from apps.invoices.services.draft_lines import write_lines
from apps.rating import exact_sum
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.services.rewrite import locked


@dataclass(frozen=True, slots=True)
class Preview:
    """The invoices that follow without the change and with it: drafts, the opening if it is due, the open period."""

    before: list[ComputedInvoice]
    after: list[ComputedInvoice]

    @property
    def difference(self) -> Decimal:
        """What the customer owes more, or less, in the end."""
        return exact_sum(
            [*(one.total for one in self.after), *(one.total.copy_negate() for one in self.before)]
        )


class _Undone(Exception):
    pass


def preview(
    verb: Callable[..., Subscription], *, subscription: Subscription, now: datetime, **arguments: Any
) -> Preview:
    """Run `verb(subscription=…, now=…, **arguments)` in a savepoint, look at what follows, and roll all of it back.

    No audit entry, no job after commit and no moved cursor is left. Raises what the verb raises.
    """
    with transaction.atomic():
        hold_all(subscription)
        before = undone(lambda: following(subscription, now))
        after = undone(lambda: following(verb(subscription=subscription, now=now, **arguments), now))
    return Preview(before, after)


def hold_all(subscription: Subscription) -> None:
    """The rows that the verb and the drafts need, before any is written, in the order of all who change them.

    Customer and subscription as the verbs, then the drafts as the finalizer: the other way around a preview and a
    finalizer would wait for each other, and one of them would fail.
    """
    locked(subscription)
    found = drafts().filter(subscription=subscription).order_by("period_end", "id")
    list(found.select_for_update().values_list("pk", flat=True))


def undone(look: Callable[[], list[ComputedInvoice]]) -> list[ComputedInvoice]:
    """What it finds in a savepoint that is rolled back."""
    found: list[ComputedInvoice] = []
    try:
        with transaction.atomic():
            found = look()
            raise _Undone
    except _Undone:
        return found


def following(subscription: Subscription, now: datetime) -> list[ComputedInvoice]:
    """Drafts as they will be finalized, then an opening that is to come, then the open period; inside a savepoint."""
    subscription = Subscription.objects.get(pk=subscription.pk)
    found = []
    for draft in drafts().filter(subscription=subscription).order_by("period_start", "-kind", "id"):
        computed = compute_invoice(subscription=subscription, period=draft.period, as_of=now, kind=draft.kind)
        # What a draft bills for fees is what later invoices don't.
        write_lines(invoice=draft, computed=computed, now=now)
        found.append(computed)
    if subscription.status != Subscription.Status.ACTIVE:
        return found
    period = subscription.open_period
    opens_at = subscription.opening_due_at
    if opens_at is not None and opens_at < period.end:
        first = Period(opens_at, subscription.timeline().cycle_at(opens_at).end)
        opening = compute_invoice(
            subscription=subscription, period=first, as_of=now, kind=Invoice.Kind.OPENING
        )
        found.append(opening)
        store_opening(opening, now)
    found.append(compute_invoice(subscription=subscription, period=period, as_of=now))
    return found


def store_opening(computed: ComputedInvoice, now: datetime) -> None:
    """For the moment, so that the open period finds what the opening bills."""
    invoice = Invoice.objects.create(
        kind=Invoice.Kind.OPENING,
        customer=computed.subscription.customer,
        subscription=computed.subscription,
        currency=computed.currency,
        period_start=computed.period.start,
        period_end=computed.period.end,
        subtotal=computed.total,
        total=computed.total,
        usage_cutoff_at=now,
        finalize_due_at=now,
    )
    write_lines(invoice=invoice, computed=computed, now=now)
