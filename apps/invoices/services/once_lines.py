"""Fees of add-ons that are asked for once: where the add-on is first billed, on the invoice for that time.

That is the opening when it is attached from the first, else the cycle; and when the opening was issued before
somebody dated the add-on back to the start, the first cycle after all. So each looks whether another has it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.catalog.models import Price
from apps.invoices.models import Invoice, InvoiceLine
from apps.invoices.services.cycles import Asked
from apps.invoices.services.fee_lines import once_line
from apps.invoices.services.lines import ComputedLine, Segment
from apps.subscriptions.attached import Beginning
from apps.subscriptions.timeline import MICROSECOND

# A subscription, an invoice of it by kind and start, and what begins there: a price at an instant.
Place = tuple[str, datetime]
Key = tuple[int, int, datetime]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What begins on an invoice."""

    asked: Asked
    beginnings: Sequence[Beginning]

    @property
    def place(self) -> Place:
        return self.asked.kind, self.asked.period.start


def once_lines(wanted: Sequence[Wanted], prices: Mapping[int, list[Price]]) -> list[list[ComputedLine]]:
    """For each, in the order of time; one query at most, and none where no add-on asks for anything once."""
    found = [asked_once(one, prices) for one in wanted]
    taken = places_of([pair for pairs in found for pair in pairs])
    lines = []
    for one, pairs in zip(wanted, found, strict=True):
        pk, currency = one.asked.subscription.pk, one.asked.subscription.plan_version.currency
        lines.append(
            [
                line_of(beginning, price, one.asked, currency)
                for (_, beginning, price) in pairs
                if not taken.get((pk, price.pk, beginning.start), set()) - {one.place}
            ]
        )
    return lines


Pair = tuple[int, Beginning, Price]


def asked_once(one: Wanted, prices: Mapping[int, list[Price]]) -> list[Pair]:
    period = one.asked.period
    if period.end - period.start <= MICROSECOND:
        # Cancelled where it is billed already, a subscription ends a moment later; nobody had the add-on.
        return []
    return [
        (one.asked.subscription.pk, beginning, price)
        for beginning in sorted(one.beginnings, key=lambda each: each.start)
        for price in prices[beginning.add_on.version_id]
        if price.billing_timing == Price.Timing.ONCE
    ]


def places_of(pairs: Sequence[Pair]) -> dict[Key, set[Place]]:
    """On which invoices such a fee stands, drafts included: they will be issued."""
    found: dict[Key, set[Place]] = {}
    if not pairs:
        return found
    rows = (
        InvoiceLine.objects.filter(
            invoice__subscription_id__in={pk for pk, _, _ in pairs},
            price_id__in={price.pk for _, _, price in pairs},
            period_start__in={beginning.start for _, beginning, _ in pairs},
        )
        .exclude(invoice__status=Invoice.Status.VOID)
        .order_by()
        .values_list(
            "invoice__subscription_id", "price_id", "period_start", "invoice__kind", "invoice__period_start"
        )
    )
    for pk, price_id, start, kind, invoice_start in rows:
        found.setdefault((pk, price_id, start), set()).add((kind, invoice_start))
    return found


def line_of(beginning: Beginning, price: Price, asked: Asked, currency: str) -> ComputedLine:
    period = beginning.within(asked.period.end)
    segment = Segment(beginning.add_on.version_id, period, asked.period, quantity=beginning.add_on.quantity)
    return once_line(price, segment, currency)
