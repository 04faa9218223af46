"""What closing a backfill would change: usage by meter, drafts, and the invoices that come next.

The backfill is closed for real, everything is computed by the code that bills, and then all of it is rolled back.
A second way to compute it could be wrong where the first is right. Meanwhile ingestion into the same totals waits,
and what comes in between the two readings shows as a difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from apps.catalog.models import Meter
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.invoices.models import Invoice
from apps.invoices.services.compute import compute_invoice
from apps.invoices.teams import billed_together
from apps.subscriptions.selectors import active_subscriptions_of
from apps.usage.models import UsageBackfill
from apps.usage.selectors import quantities
from apps.usage.services.corrections.close_backfill import close_backfill

MAX_CUSTOMERS = 100

AFFECTED = """
SELECT DISTINCT customer_id FROM (
    SELECT accepted_customer_id AS customer_id FROM usage_backfillevent
     WHERE backfill_id = %(backfill)s AND accepted_customer_id IS NOT NULL
    UNION
    SELECT voided.customer_id FROM usage_voidedevent AS voided
      JOIN usage_usagecorrection AS correction ON correction.id = voided.correction_id
     WHERE correction.backfill_id = %(backfill)s
) AS affected ORDER BY customer_id
"""


@dataclass(frozen=True, slots=True)
class UsageEffect:
    """A customer's quantity of one meter in the range of the backfill."""

    customer: Customer
    meter: Meter
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceEffect:
    """A draft, or the invoice that comes next, with what it adds or credits for periods that are finalized."""

    customer: Customer
    subscription: str
    draft: str
    period_start: datetime
    period_end: datetime
    currency: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """`left_off` customers are affected too and not looked at."""

    outcome: dict[str, int]
    usage: list[UsageEffect]
    invoices: list[InvoiceEffect]
    left_off: int


# Customer and meter; customer, subscription, draft, period and currency.
Usage = dict[tuple[int, int], Decimal]
InvoiceKey = tuple[int, str, str, datetime, datetime, str]
Totals = dict[InvoiceKey, Decimal]


def preview_backfill(*, backfill: UsageBackfill, now: datetime) -> Preview:
    """Raises what closing raises. Nothing stays of it. Who pays for an affected team is affected, too."""
    if not backfill.is_open:
        raise Refused("not_open", f"Backfill {backfill} is {backfill.get_status_display().lower()}.")
    meters = {meter.pk: meter for meter in Meter.objects.all()}
    with transaction.atomic():
        closed = close_backfill(backfill=backfill, now=now)
        ids = affected_by(backfill)
        customers = Customer.objects.in_bulk(ids[:MAX_CUSTOMERS])
        used_after = usage_of(customers, meters, backfill)
        payers = billed_together(ids[:MAX_CUSTOMERS], backfill.starts_at, backfill.ends_at)
        concerned = customers | Customer.objects.in_bulk(payers)
        totals_after = totals_of(concerned, now)
        transaction.set_rollback(True)
    used_before = usage_of(customers, meters, backfill)
    totals_before = totals_of(concerned, now)
    return Preview(
        outcome={name: int(count) for name, count in closed.outcome.items()},
        usage=[
            UsageEffect(customers[customer], meters[meter], used_before[customer, meter], after)
            for (customer, meter), after in used_after.items()
            if used_before[customer, meter] != after
        ],
        invoices=[
            InvoiceEffect(concerned[key[0]], *key[1:], before=totals_before.get(key, Decimal(0)), after=after)
            for key, after in totals_after.items()
            if totals_before.get(key) != after
        ],
        left_off=max(0, len(ids) - MAX_CUSTOMERS),
    )


def affected_by(backfill: UsageBackfill) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(AFFECTED, {"backfill": backfill.pk})
        return [customer_id for (customer_id,) in cursor.fetchall()]


def usage_of(customers: dict[Any, Customer], meters: dict[int, Meter], backfill: UsageBackfill) -> Usage:
    found: Usage = {}
    for customer_id in customers:
        used = quantities(
            customer_id=customer_id,
            meter_ids=list(meters),
            start=backfill.starts_at,
            end=backfill.ends_at,
            as_of=backfill.ends_at,
        )
        found |= {(customer_id, meter_id): one.quantity for meter_id, one in used.items()}
    return found


def totals_of(customers: dict[Any, Customer], now: datetime) -> Totals:
    return {key: total for customer in customers.values() for key, total in invoices_of(customer, now)}


def invoices_of(customer: Customer, now: datetime) -> Iterator[tuple[InvoiceKey, Decimal]]:
    """Drafts as they would be finalized, and the open periods as they stand."""
    drafts = Invoice.objects.filter(customer=customer, status=Invoice.Status.DRAFT, kind=Invoice.Kind.CYCLE)
    for draft in drafts.select_related("subscription").order_by("period_end"):
        assert draft.subscription is not None
        computed = compute_invoice(
            subscription=draft.subscription, period=draft.period, as_of=now, kind=draft.kind
        )
        key = (
            customer.pk,
            draft.subscription.public_id,
            draft.public_id,
            *edges(draft.period),
            computed.currency,
        )
        yield key, computed.total
    for subscription in active_subscriptions_of(customer):
        period = subscription.open_period
        computed = compute_invoice(subscription=subscription, period=period, as_of=now)
        yield (customer.pk, subscription.public_id, "", *edges(period), computed.currency), computed.total


def edges(period: Any) -> tuple[datetime, datetime]:
    return period.start, period.end
