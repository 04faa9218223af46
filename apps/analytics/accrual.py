"""Accrued revenue: what usage costs at the prices of the customers' plans, before it is invoiced.

Base fees are not spread over days, and nothing is rounded before the sum. Of a period that began earlier, what accrued
since an instant is its cost until now less its cost until then: so the days of a period add up to its usage lines,
whatever the price model.

The number of statements is fixed. Rows and time grow with the active subscriptions, so at most RATED_AT_MOST
are read, the oldest; the page then says that the sums are at least so much. Events are read for dynamic prices and
for percentages with a free part alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext

from apps.analytics.costs import Costs
from apps.analytics.stretches import Stretch, stretches_of
from apps.analytics.sums import Money, by_size
from apps.analytics.taken import Taken, taken_by
from apps.analytics.taken_events import read_first_events, read_unit_prices
from apps.invoices.services.lines import prices_of

RATED_AT_MOST = 5_000
DIGITS = 120


@dataclass(frozen=True, slots=True)
class Accrual:
    """Amounts by the instant since which they accrued, then by customer and currency."""

    amounts: dict[datetime, dict[tuple[int, str], Decimal]]
    subscriptions: int
    is_partial: bool

    def sums(self, since: datetime) -> list[Money]:
        """By currency, the largest first."""
        found: defaultdict[str, Decimal] = defaultdict(Decimal)
        for (_, currency), amount in self.amounts[since].items():
            found[currency] += amount
        return by_size({currency: amount for currency, amount in found.items() if amount})

    def largest(self, since: datetime, limit: int) -> list[tuple[int, Money]]:
        """Who cost most: customers' numbers with their amounts."""
        rows = sorted(self.amounts[since].items(), key=lambda one: (-one[1], one[0]))
        return [
            (customer_id, Money(amount, currency))
            for (customer_id, currency), amount in rows[:limit]
            if amount > 0
        ]


def accrue(*, starts: Sequence[datetime], end: datetime) -> Accrual:
    """What accrued from each of `starts` until `end`."""
    stretches, counted = stretches_of(starts=starts, end=end, at_most=RATED_AT_MOST)
    prices = prices_of({stretch.version_id for stretch in stretches})
    metered = {version_id: [one for one in rows if one.is_metered] for version_id, rows in prices.items()}
    costs = Costs()
    amounts: dict[datetime, dict[tuple[int, str], Decimal]] = {
        start: defaultdict(Decimal) for start in starts
    }
    with localcontext(prec=DIGITS):
        found = taken_by(stretches, metered, end)
        read_unit_prices(stretches, found)
        read_first_events(stretches, found, costs)
        for stretch, rows in zip(stretches, found, strict=True):
            for taken in rows:
                key = stretch.customer_id, taken.price.plan_version.currency
                for start in starts:
                    if start < stretch.end:
                        amounts[start][key] += accrued_since(start, stretch, taken, costs)
    return Accrual(amounts, counted, counted > RATED_AT_MOST)


def accrued_since(start: datetime, stretch: Stretch, taken: Taken, costs: Costs) -> Decimal:
    total = costs.of(taken.price, *taken.until(len(stretch.pieces)))
    before = sum(piece.end <= start for piece in stretch.pieces)
    return total - costs.of(taken.price, *taken.until(before)) if start > stretch.start else total
