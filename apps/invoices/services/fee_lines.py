"""Lines for flat fees: at the end of a period, at its start, or once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from apps.catalog.definitions import definition_of
from apps.catalog.models import Price
from apps.invoices.services.lines import ComputedLine, Kind, Segment, fee_line
from apps.rating import Charge, Flat, Step, StepKind, Usage, exact_sum, plain, rate
from apps.subscriptions.periods import Period

Timing = Price.Timing


def rate_fee(price: Price, segment: Segment, currency: str) -> Charge:
    """The fee for a segment: all of it, or its share of the whole period; for each seat where it is asked so."""
    return rate_seats(price, segment, currency, whole=False)


def rate_seats(price: Price, segment: Segment, currency: str, *, whole: bool) -> Charge:
    definition = definition_of(price)
    assert isinstance(definition, Flat)
    share = None if whole else segment.share
    if not price.is_per_seat:
        return rate(definition, Usage(Decimal(0)), currency=currency, proration=share)
    seats = Decimal(segment.quantity)
    for_all = replace(definition, flat_amount=definition.flat_amount * seats)
    charge = rate(for_all, Usage(Decimal(0)), currency=currency, proration=share)
    text = f"{segment.quantity} × {plain(definition.flat_amount)} {currency} a seat"
    return replace(charge, steps=(Step(StepKind.UNIT, text, quantity=seats), *charge.steps))


def arrears_line(price: Price, segment: Segment, currency: str) -> ComputedLine:
    return fee_line(Kind.FLAT, price, price.name, segment.period, rate_fee(price, segment, currency))


def once_line(price: Price, segment: Segment, currency: str) -> ComputedLine:
    charge = rate_seats(price, segment, currency, whole=True)
    return fee_line(Kind.FLAT, price, price.name, segment.period, charge)


def upfront_lines(segment: Segment, prices: list[Price], currency: str) -> list[ComputedLine]:
    """Fees at the start of a fee period, as if nothing changed within it."""
    if not segment.has_fees:
        return []
    return [
        arrears_line(price, segment, currency) for price in prices if price.billing_timing == Timing.ADVANCE
    ]


@dataclass(frozen=True, slots=True)
class Due:
    """What one fee asks for a part of its period."""

    period: Period
    charge: Charge


def advance_lines(
    segments: list[Segment],
    prices: Mapping[int, list[Price]],
    billed: Mapping[int, Decimal],
    known: Mapping[int, Price],
    currency: str,
) -> list[ComputedLine]:
    """What fees at the start still lack for one fee period, or what is to be given back of them.

    What is due follows the timeline: each version's fee for the time and the seats it counted with. What was billed
    when the period began may be another version's fee, or more time than it counted. The difference is a line.
    It never gives back more than was billed, because what is due is never less than nothing.
    """
    lines = lacking_lines(segments, prices, billed, known, currency, timing=Timing.ADVANCE)
    return [line for _, line in lines]


def lacking_lines(
    segments: list[Segment],
    prices: Mapping[int, list[Price]],
    billed: Mapping[int, Decimal],
    known: Mapping[int, Price],
    currency: str,
    *,
    timing: str,
) -> list[tuple[Segment, ComputedLine]]:
    """What is due of the fees of one timing, less what is billed of them; each with the segment that it ends."""
    due: dict[int, list[Segment]] = {}
    found: dict[int, Price] = {}
    for segment in segments:
        for price in prices[segment.version_id] if segment.has_fees else []:
            if price.billing_timing == timing and not price.is_metered:
                found[price.pk] = price
                due.setdefault(price.pk, []).append(segment)
    lines: list[tuple[Segment, ComputedLine]] = []
    for price_id, parts in due.items():
        asked = [Due(one.period, rate_fee(found[price_id], one, currency)) for one in parts]
        difference_lines = difference(found[price_id], asked, billed.get(price_id))
        # A part each, or one line for all of them, which stands with the last.
        lines += zip(parts[-len(difference_lines) :], difference_lines, strict=False)
    last = max(segments, key=lambda one: one.period.end)
    whole = Period(segments[0].period.start, last.period.end)
    for price_id, amount in billed.items():
        if price_id not in due and amount and settled_with(known[price_id]) == timing:
            lines.append((last, settling_line(known[price_id], whole, [], amount)))
    return lines


def settled_with(price: Price) -> str:
    """What was asked for once, and comes back, comes back with the fees at the start."""
    return Timing.ADVANCE if price.billing_timing == Timing.ONCE else price.billing_timing


def difference(price: Price, parts: list[Due], billed: Decimal | None) -> list[ComputedLine]:
    """A fee for each part, or what all parts together differ by from what was billed."""
    if billed is None:
        return [fee_line(Kind.FLAT, price, price.name, one.period, one.charge) for one in parts]
    if sum(one.charge.amount for one in parts) == billed:
        return []
    whole = Period(parts[0].period.start, parts[-1].period.end)
    return [settling_line(price, whole, [one.charge for one in parts], billed)]


def settling_line(price: Price, period: Period, due: list[Charge], billed: Decimal) -> ComputedLine:
    """A fee or a credit: what is due less what is billed already."""
    amount = exact_sum([*(one.amount for one in due), -billed])
    text = "billed at the start" if price.billing_timing == Timing.ADVANCE else "billed before"
    steps = (
        *(step for one in due for step in one.steps),
        Step(StepKind.ALREADY_BILLED, text, amount=-billed),
    )
    kind, name = (Kind.FLAT, price.name) if amount > 0 else (Kind.CREDIT, f"{price.name}: unused part")
    unrounded = exact_sum([*(one.unrounded_amount for one in due), -billed])
    return ComputedLine(kind, price, name, period, None, None, unrounded, amount, steps)


def arrears_lines(
    segments: list[Segment],
    prices: Mapping[int, list[Price]],
    billed: Mapping[int, Decimal],
    known: Mapping[int, Price],
    currency: str,
) -> list[tuple[Segment, ComputedLine]]:
    """Fees at the end, for each part of a fee period that is over; less what an earlier invoice took for its end."""
    lines = lacking_lines(segments, prices, billed, known, currency, timing=Timing.ARREARS)
    return sorted(lines, key=lambda one: one[0].period.start)
