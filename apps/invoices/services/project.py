"""Where a period that is not over is heading, if usage goes on as it did: in proportion to time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal

from apps.catalog.models import Meter
from apps.invoices.services.compute import ComputedInvoice
from apps.invoices.services.lines import Kind
from apps.rating import exact_sum, round_amount
from apps.subscriptions.periods import Period

Aggregation = Meter.Aggregation

# A largest value or a number of users does not grow with time.
GROWING = frozenset({Aggregation.SUM, Aggregation.COUNT, Aggregation.TIME_WEIGHTED_SUM})
MICROSECOND = timedelta(microseconds=1)
LAST_DECIMAL = Decimal("1e-18")
EXACT = Context(prec=200, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of a period has passed."""

    elapsed: int
    whole: int

    @classmethod
    def of(cls, period: Period, as_of: datetime) -> "Pace":
        whole = (period.end - period.start) // MICROSECOND
        return cls(min(max((as_of - period.start) // MICROSECOND, 0), whole), whole)

    def to_the_end(self, value: Decimal) -> Decimal | None:
        """The value times whole over elapsed; None before anything has passed."""
        if not self.elapsed:
            return None
        product = EXACT.multiply(value, Decimal(self.whole))
        return EXACT.divide(product, Decimal(self.elapsed))


def projected_quantity(pace: Pace, aggregation: str, quantity: Decimal) -> Decimal | None:
    """Half-even at 18 decimals. What does not grow with time stays as it is."""
    if aggregation not in GROWING:
        return quantity
    projected = pace.to_the_end(quantity)
    return None if projected is None else projected.quantize(LAST_DECIMAL, context=EXACT)


def projected_amount(pace: Pace, computed: ComputedInvoice) -> Decimal | None:
    """Lines of usage that grows with time go on in proportion; fees, late usage and the others stay.

    A line and not its price is what goes on: a tier that would be reached later is not foreseen.
    """
    amounts: list[Decimal] = []
    for line in computed.lines:
        meter = line.meter
        if line.kind != Kind.USAGE or meter is None or meter.aggregation not in GROWING:
            amounts.append(line.amount)
            continue
        projected = pace.to_the_end(line.unrounded_amount)
        if projected is None:
            return None
        amounts.append(round_amount(projected.quantize(LAST_DECIMAL, context=EXACT), computed.currency))
    return exact_sum(amounts)
