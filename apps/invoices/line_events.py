"""The events behind an invoice line: those of its meter and period that its price takes and that it was the first to
read. The line of a draft holds what would be on it now.

What was voided after an invoice was issued is on its line no more; the next adjustment takes it back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from apps.catalog.assign import taker_for, takers_of
from apps.catalog.models import Price
from apps.customers.models import Customer
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.selectors import USAGE_KINDS
from apps.invoices.services.lines import prices_of
from apps.invoices.teams import families_of
from apps.subscriptions.periods import Period
from apps.usage.selectors import Span, quantities_by_dimension_of
from apps.usage.selectors.sql import EVENT_OF_READING, READINGS_OF

DAY = timedelta(days=1)
# What the view is asked for itself; the rest is a condition on its rows. One row for each customer, with its time.
OF_LINE = READINGS_OF.format(
    "asked",
    "reading.bucket BETWEEN asked.starts_at - interval '1 hour' AND asked.ends_at"
    ' AND reading."timestamp" >= asked.starts_at AND reading."timestamp" < asked.ends_at'
    " AND reading.meter_id = %(meter)s AND reading.dimension_set_id = ANY(%(sets)s)",
)
STATEMENT = f"""
SELECT event."timestamp", event.event_id, shape.source, shape.event_name, reading.value, event.received_at,
       event.customer_id
  FROM unnest(%(customers)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
       AS asked(customer_id, starts_at, ends_at)
  {OF_LINE}
  {EVENT_OF_READING}
 WHERE event.received_at <= coalesce(%(read_until)s, 'infinity'::timestamptz)
   AND event.received_at > coalesce(%(read_from)s, '-infinity'::timestamptz)
   AND (%(after_at)s::timestamptz IS NULL
        OR (event."timestamp", event.event_id, shape.source) > (%(after_at)s, %(after_id)s, %(after_source)s))
 ORDER BY event."timestamp", event.event_id, shape.source
 LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class LineEvent:
    """`value` is what the meter read, as text. `customer` used it: who pays for the line, or a team of theirs."""

    timestamp: datetime
    event_id: str
    source: str
    event_name: str
    value: str
    received_at: datetime
    customer: Customer


After = tuple[datetime, str, str]


@dataclass(frozen=True, slots=True)
class LineEvents:
    """The question, worked out once: whose usage, which dimension sets, and what was read before."""

    line: InvoiceLine
    spans: tuple[Span, ...]
    customers: Mapping[int, Customer]
    set_ids: list[int]
    read_from: datetime | None
    read_until: datetime | None

    def page(self, *, limit: int, after: After | None = None) -> list[LineEvent]:
        """In the order of time, what follows `after`; one query."""
        return self.read(self.line.period_start, self.line.period_end, limit, after)

    def by_day(self) -> Iterator[list[LineEvent]]:
        """All of them, a day of the period at a time, so that no list grows with the period."""
        start = self.line.period_start
        while start < self.line.period_end:
            end = min(start + DAY, self.line.period_end)
            yield self.read(start, end, None, None)
            start = end

    def read(self, start: datetime, end: datetime, limit: int | None, after: After | None) -> list[LineEvent]:
        cut = [(one.customer_id, max(one.start, start), min(one.end, end)) for one in self.spans]
        asked_of = [one for one in cut if one[1] < one[2]]
        if not self.set_ids or not asked_of:
            return []
        customers, starts, ends = (list(column) for column in zip(*asked_of, strict=True))
        at, event_id, source = after or (None, "", "")
        asked: dict[str, Any] = {
            "customers": customers,
            "meter": price_of(self.line).meter_id,
            "sets": self.set_ids,
            "starts": starts,
            "ends": ends,
            "read_from": self.read_from,
            "read_until": self.read_until,
            "after_at": at,
            "after_id": event_id,
            "after_source": source,
            "limit": limit,
        }
        with connection.cursor() as cursor:
            cursor.execute(STATEMENT, asked)
            rows = cursor.fetchall()
        return [
            LineEvent(at, event_id, source, name, value, received_at, self.customers[customer_id])
            for at, event_id, source, name, value, received_at, customer_id in rows
        ]

    @property
    def has_teams(self) -> bool:
        return len(self.customers) > 1


def is_metered(line: InvoiceLine) -> bool:
    return line.kind in USAGE_KINDS and line.price is not None and line.price.meter_id is not None


def price_of(line: InvoiceLine) -> Price:
    """Of a metered line."""
    assert line.price is not None
    return line.price


def line_events(line: InvoiceLine) -> LineEvents:
    """A fixed number of queries. A fee has no events."""
    if not is_metered(line):
        return LineEvents(line, (), {}, [], None, None)
    invoice = line.invoice
    cutoff = None if invoice.is_draft else invoice.usage_cutoff_at
    families = families_of([invoice.customer_id])
    span = families.span_of(invoice.customer_id, Period(line.period_start, line.period_end))
    customers = Customer.objects.in_bulk({one.customer_id for one in span.all})
    return LineEvents(line, span.all, customers, sets_of(line, span), read_before(line), cutoff)


def sets_of(line: InvoiceLine, span: Span) -> list[int]:
    """The dimension sets that the line's price takes, of the customer's usage and its teams'."""
    price = price_of(line)
    meter = price.meter
    assert meter is not None
    prices = prices_of({price.plan_version_id})[price.plan_version_id]
    takers = takers_of(one for one in prices if one.meter_id == meter.pk)
    [found] = quantities_by_dimension_of([span], {meter.pk: meter.aggregation}, as_of=line.period_end)
    return sorted(
        one.dimension_set_id
        for one in found[meter.pk]
        if (taker := taker_for(takers, one.dimensions)) is not None and taker.pk == price.pk
    )


def read_before(line: InvoiceLine) -> datetime | None:
    """Until when other issued invoices had read the usage that this one charges the difference to."""
    former = (
        InvoiceLine.objects.filter(
            invoice__subscription_id=line.invoice.subscription_id,
            price=price_of(line),
            kind__in=USAGE_KINDS,
            period_start=line.period_start,
            period_end=line.period_end,
        )
        # Those of a threshold are no former reading: every later line of the cycle is in full.
        .exclude(Q(invoice_id=line.invoice_id) | Q(invoice__kind=Invoice.Kind.THRESHOLD))
        .exclude(invoice__status__in=[Invoice.Status.DRAFT, Invoice.Status.VOID])
        .order_by("-invoice__usage_cutoff_at")
    )
    if not line.invoice.is_draft:
        former = former.filter(invoice__usage_cutoff_at__lt=line.invoice.usage_cutoff_at)
    found: datetime | None = former.values_list("invoice__usage_cutoff_at", flat=True).first()
    return found.astimezone(UTC) if found else None
