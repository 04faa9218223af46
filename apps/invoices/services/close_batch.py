"""Bill many locked subscriptions at once: one period each, with a number of statements that does not depend on them.

Only who has nothing left to bill afterwards costs a few of its own: a subscription that ends.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection

from apps.core.models import random_id
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.selectors import billing_settings
from apps.invoices.services.compute import ComputedInvoice, compute_invoices
from apps.invoices.services.cycles import Asked
from apps.invoices.services.draft_lines import as_row, unpriced_documents
from apps.invoices.services.team_shares import store_shares
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.subscriptions.selectors import timelines_of
from apps.subscriptions.services.end_subscription import end_subscription
from apps.subscriptions.timeline import Timeline

Timelines = Mapping[int, Timeline]

# The former cursor is asked for, so that a period can't be passed that is not the one that was billed.
MOVE = """
UPDATE subscriptions_subscription AS subscription
   SET invoiced_until = moved.until_at, next_boundary_at = moved.next_at, plan_version_id = moved.version_id
  FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])
       AS moved(id, from_at, until_at, next_at, version_id)
 WHERE subscription.id = moved.id AND subscription.invoiced_until = moved.from_at
"""


def close_locked(subscriptions: Sequence[Subscription], *, now: datetime) -> list[Invoice]:
    """Bill the oldest open period of each, and first its opening when nobody has; then move the cursors."""
    timelines = timelines_of(subscriptions)
    unopened = [
        one
        for one in subscriptions
        if one.opening_due_at is not None and one.opening_due_at < one.next_boundary_at
    ]
    drafts = open_all(unopened, timelines, now) if unopened else []
    asked = [Asked(one, one.open_period) for one in subscriptions]
    computed = compute_invoices(asked, as_of=now, timelines=timelines)
    drafts += store_drafts(computed, now)
    move_cursors(subscriptions, timelines)
    return drafts


def open_locked(subscriptions: Sequence[Subscription], *, now: datetime) -> list[Invoice]:
    """Bill what is due when each of them starts."""
    return open_all(subscriptions, timelines_of(subscriptions), now)


def open_all(subscriptions: Sequence[Subscription], timelines: Timelines, now: datetime) -> list[Invoice]:
    asked = [
        Asked(one, opening_period(one, timelines[one.pk]), Invoice.Kind.OPENING) for one in subscriptions
    ]
    drafts = store_drafts(compute_invoices(asked, as_of=now, timelines=timelines), now)
    opened = Subscription.objects.filter(
        pk__in=[one.pk for one in subscriptions], opening_due_at__isnull=False, opened_at__isnull=True
    ).update(opening_due_at=None, opened_at=now)
    assert opened == len(subscriptions), "an opening was billed while its row was locked"
    return drafts


def opening_period(subscription: Subscription, timeline: Timeline) -> Period:
    due_at = subscription.opening_due_at
    assert due_at is not None
    return Period(due_at, timeline.cycle_at(due_at).end)


def store_drafts(computed: Sequence[ComputedInvoice], now: datetime) -> list[Invoice]:
    drafts = store_invoices(computed, now)
    store_lines(drafts, computed)
    return drafts


def store_invoices(computed: Sequence[ComputedInvoice], now: datetime) -> list[Invoice]:
    grace = timedelta(hours=billing_settings().draft_grace_hours)
    return Invoice.objects.bulk_create(
        [
            Invoice(
                public_id=random_id(Invoice.ID_PREFIX),
                kind=one.kind,
                customer_id=one.subscription.customer_id,
                subscription=one.subscription,
                currency=one.currency,
                period_start=one.period.start,
                period_end=one.period.end,
                subtotal=one.total,
                total=one.total,
                unpriced=unpriced_documents(one),
                usage_cutoff_at=now,
                # What is billed ahead is not waited for: late events join the next invoice of the cycle.
                finalize_due_at=now if one.kind == Invoice.Kind.THRESHOLD else now + grace,
                created_at=now,
            )
            for one in computed
        ]
    )


def store_lines(drafts: Sequence[Invoice], computed: Sequence[ComputedInvoice]) -> None:
    rows = InvoiceLine.objects.bulk_create(
        [
            as_row(draft, position, line)
            for draft, one in zip(drafts, computed, strict=True)
            for position, line in enumerate(one.lines)
        ]
    )
    store_shares(rows, [line for one in computed for line in one.lines])


def move_cursors(subscriptions: Sequence[Subscription], timelines: Timelines) -> None:
    """Past a period that is billed: to the next one, or to the end of the subscription."""
    rows = []
    for one in subscriptions:
        timeline, end = timelines[one.pk], one.next_boundary_at
        if end == timeline.ends_at:
            end_subscription(one)
            continue
        following = timeline.cycle_at(end).end
        rows.append((one.pk, one.invoiced_until, end, following, timeline.stage_at(end).version_id))
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(MOVE, [list(column) for column in zip(*rows, strict=True)])
        assert cursor.rowcount == len(rows), "a cursor moved while its row was locked"
