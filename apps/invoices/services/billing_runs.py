"""The record of a run: begun when something is due, told after each batch in its transaction, finished."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import F

from apps.core import clock, request_context
from apps.invoices.models import BillingRun, Invoice
from apps.rating import exact_sum
from apps.subscriptions.models import Subscription

ADD = """
INSERT INTO invoices_billingrunamount AS known (run_id, currency, amount, invoice_count)
SELECT %s, * FROM unnest(%s::text[], %s::numeric[], %s::int[])
ON CONFLICT (run_id, currency) DO UPDATE
   SET amount = known.amount + excluded.amount, invoice_count = known.invoice_count + excluded.invoice_count
"""


def start_run(
    *, kind: str, due_until: datetime, due_count: int, subscription: Subscription | None = None
) -> BillingRun:
    at = clock.real_now()
    return BillingRun.objects.create(
        kind=kind,
        due_until_at=due_until,
        due_count=due_count,
        subscription=subscription,
        started_by=request_context.current().actor,
        started_at=at,
        updated_at=at,
    )


def note_due(run: BillingRun, count: int) -> None:
    """Of a run that finds only batch by batch what is due."""
    update(run, due_count=F("due_count") + count)


def note_billed(run: BillingRun, *, billed: int, invoices: Iterable[Invoice]) -> None:
    """In the transaction that makes the invoices: the record says what is committed, and nothing else."""
    update(run, billed_count=F("billed_count") + billed)
    totals: defaultdict[str, list[Decimal]] = defaultdict(list)
    for invoice in invoices:
        totals[invoice.currency].append(invoice.total)
    currencies = sorted(totals)
    amounts = [exact_sum(totals[one]) for one in currencies]
    with connection.cursor() as cursor:
        cursor.execute(ADD, [run.pk, currencies, amounts, [len(totals[one]) for one in currencies]])


def note_parked(run: BillingRun) -> None:
    update(run, parked_count=F("parked_count") + 1)


def finish_run(run: BillingRun) -> None:
    """A run to which others left nothing is forgotten."""
    if BillingRun.objects.filter(pk=run.pk, billed_count=0, parked_count=0).delete()[0]:
        return
    update(run, finished_at=clock.real_now())


def update(run: BillingRun, **changes: object) -> None:
    BillingRun.objects.filter(pk=run.pk).update(updated_at=clock.real_now(), **changes)
