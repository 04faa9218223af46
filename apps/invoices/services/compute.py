"""What a subscription owes for a period. Previews, drafts and finalized invoices all come from here.

An invoice is a function of events, price version, subscription timeline and the instant usage was read. Usage
is read in one statement, so that the lines of one invoice are of one snapshot.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from apps.catalog.models import Price
from apps.invoices.models import InvoiceLine
from apps.invoices.selectors import BilledUsage, billed_usage_of
from apps.rating import AlreadyBilled, Flat, PerUnit, Step, Usage, rate, rate_delta
from apps.subscriptions.models import Subscription
from apps.subscriptions.periods import Period
from apps.usage.selectors import Quantity, quantities_over

Kind = InvoiceLine.Kind


@dataclass(frozen=True, slots=True)
class ComputedLine:
    """A line before it is stored. `quantity` and `event_count` are None for fees."""

    kind: InvoiceLine.Kind
    price: Price
    description: str
    period: Period
    quantity: Decimal | None
    event_count: int | None
    unrounded_amount: Decimal
    amount: Decimal
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class ComputedInvoice:
    """Amounts in `currency`, rounded at the lines; `total` is their sum."""

    subscription: Subscription
    period: Period
    currency: str
    lines: list[ComputedLine]

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal(0))


def compute_invoice(*, subscription: Subscription, period: Period) -> ComputedInvoice:
    """Price `period` of the subscription, and late usage of finalized periods before it.

    Lines come in the order of the plan's prices, adjustments after them. A metered price has a line at
    zero usage too: the customer sees that nothing was used.
    """
    prices = list(subscription.plan_version.prices.select_related("meter").order_by("position", "id"))
    metered = {price.pk: price for price in prices if price.meter_id is not None}
    billed = billed_usage_of(subscription=subscription, before=period.start)
    periods = [(period.start, period.end)]
    periods += sorted({(one.period_start, one.period_end) for one in billed})
    used = quantities_over(
        customer_id=subscription.customer_id,
        meter_ids=[price.meter_id for price in metered.values() if price.meter_id is not None],
        periods=periods,
    )
    currency = subscription.plan_version.currency
    lines = [
        usage_line(price, used[0][price.meter_id], period, currency)
        if price.meter_id is not None
        else flat_line(price, period, subscription.full_period_of(period), currency)
        for price in prices
    ]
    for one in billed:
        price = metered[one.price_id]
        now_used = used[periods.index((one.period_start, one.period_end))][price.meter_id or 0]
        if now_used.quantity != one.quantity:
            lines.append(adjustment_line(price, now_used, one, currency))
    return ComputedInvoice(subscription, period, currency, lines)


def rated(price: Price, used: Quantity) -> tuple[PerUnit, Usage]:
    assert price.unit_amount is not None  # a CHECK of the table
    return PerUnit(unit_amount=price.unit_amount), Usage(quantity=used.quantity, event_count=used.event_count)


def usage_line(price: Price, used: Quantity, period: Period, currency: str) -> ComputedLine:
    assert price.meter is not None  # a CHECK of the table
    definition, usage = rated(price, used)
    charge = rate(definition, usage, currency=currency, unit=price.meter.unit)
    return ComputedLine(
        Kind.USAGE,
        price,
        price.name,
        period,
        used.quantity,
        used.event_count,
        charge.unrounded_amount,
        charge.amount,
        charge.steps,
    )


def flat_line(price: Price, period: Period, full: Period, currency: str) -> ComputedLine:
    """A fee for the period; a period that is cut short bears its share of the whole one, by seconds."""
    assert price.flat_amount is not None  # a CHECK of the table
    share = None
    if period != full:
        # Whole microseconds, so that the fraction is exact.
        share = Fraction(microseconds(period), microseconds(full))
    charge = rate(Flat(flat_amount=price.flat_amount), Usage(Decimal(0)), currency=currency, proration=share)
    return ComputedLine(
        Kind.FLAT, price, price.name, period, None, None, charge.unrounded_amount, charge.amount, charge.steps
    )


def microseconds(period: Period) -> int:
    length = period.end - period.start
    return (length.days * 86_400 + length.seconds) * 1_000_000 + length.microseconds


def adjustment_line(price: Price, used: Quantity, billed: BilledUsage, currency: str) -> ComputedLine:
    """Late usage: the price of all usage of the period less what was billed for it, rounded cumulatively."""
    assert price.meter is not None  # a CHECK of the table
    definition, usage = rated(price, used)
    already = AlreadyBilled(quantity=billed.quantity, amount=billed.amount)
    charge = rate_delta(definition, usage, already, currency=currency, unit=price.meter.unit)
    return ComputedLine(
        Kind.ADJUSTMENT,
        price,
        f"{price.name}: late usage",
        Period(billed.period_start, billed.period_end),
        charge.quantity,
        used.event_count - billed.event_count,
        charge.unrounded_amount,
        charge.amount,
        charge.steps,
    )
