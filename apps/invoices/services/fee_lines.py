"""Lines for flat fees: at the end of a period, at its start, or once."""

from decimal import Decimal

from apps.catalog.definitions import definition_of
from apps.catalog.models import Price
from apps.invoices.services.lines import ComputedLine, Kind, Segment, fee_line
from apps.rating import Charge, Step, StepKind, Usage, exact_sum, rate
from apps.subscriptions.periods import Period

Timing = Price.Timing


def rate_fee(price: Price, segment: Segment, currency: str) -> Charge:
    """The fee for a segment: all of it, or its share of the whole period."""
    return rate(definition_of(price), Usage(Decimal(0)), currency=currency, proration=segment.share)


def arrears_line(price: Price, segment: Segment, currency: str) -> ComputedLine:
    return fee_line(Kind.FLAT, price, price.name, segment.period, rate_fee(price, segment, currency))


def once_line(price: Price, period: Period, currency: str) -> ComputedLine:
    charge = rate(definition_of(price), Usage(Decimal(0)), currency=currency)
    return fee_line(Kind.FLAT, price, price.name, period, charge)


def advance_lines(
    *,
    segments: list[Segment],
    prices: dict[int, list[Price]],
    billed: dict[int, Decimal],
    billed_prices: dict[int, Price],
    currency: str,
) -> list[ComputedLine]:
    """What fees at the start still lack for one period, or what is to be given back of them.

    What is due follows the timeline: each version's fee for the time it counted. What was billed when the
    period began may be another version's fee, or more time than it counted. The difference is a line.
    """
    lines: list[ComputedLine] = []
    seen: set[int] = set()
    for segment in segments:
        for price in prices[segment.version_id]:
            if price.billing_timing != Timing.ADVANCE:
                continue
            seen.add(price.pk)
            charge = rate_fee(price, segment, currency)
            lines += difference(price, segment.period, charge, billed.get(price.pk))
    whole = Period(segments[0].period.start, segments[-1].period.end)
    for price_id, amount in billed.items():
        if price_id not in seen and amount:
            lines += difference(billed_prices[price_id], whole, None, amount)
    return lines


def difference(
    price: Price, period: Period, due: Charge | None, billed: Decimal | None
) -> list[ComputedLine]:
    """A fee, a credit, or nothing."""
    if billed is None and due is not None:
        return [fee_line(Kind.FLAT, price, price.name, period, due)]
    already = billed or Decimal(0)
    owed = due.amount if due else Decimal(0)
    if owed == already:
        return []
    steps = (
        *(due.steps if due else ()),
        Step(StepKind.ALREADY_BILLED, "billed at the start", amount=-already),
    )
    kind, name = (Kind.FLAT, price.name) if owed > already else (Kind.CREDIT, f"{price.name}: unused part")
    amount = owed - already
    unrounded = exact_sum([due.unrounded_amount if due else Decimal(0), -already])
    return [ComputedLine(kind, price, name, period, None, None, unrounded, amount, steps)]
