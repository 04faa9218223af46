"""Lines for one-off charges: each on the invoice of the cycle that contains it, or alone on one of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from apps.invoices.models import Invoice, OneOffCharge
from apps.invoices.services.cycles import Asked
from apps.invoices.services.lines import ComputedLine, Kind
from apps.rating import Charge, PerUnit, Step, StepKind, Usage, plain, rate
from apps.subscriptions.periods import Period
from apps.subscriptions.timeline import Timeline

FOREVER = datetime.max.replace(tzinfo=UTC)


def rated(quantity: Decimal, unit_amount: Decimal, currency: str) -> Charge:
    """Quantity × amount, rounded once. A credit mirrors its charge. Raises `RatingError` for what is out of range."""
    charge = rate(PerUnit(unit_amount=abs(unit_amount)), Usage(quantity), currency=currency)
    if unit_amount >= 0:
        return charge
    off = charge.unrounded_amount.copy_negate()
    text = f"{plain(quantity)} × {plain(unit_amount)} {currency}"
    step = Step(StepKind.CREDIT, text, quantity=quantity, unit_amount=unit_amount, amount=off)
    return replace(charge, steps=(step,), unrounded_amount=off, amount=charge.amount.copy_negate())


def one_off_lines(asked: Sequence[Asked], timelines: Mapping[int, Timeline]) -> list[list[ComputedLine]]:
    """For each, in the order of time; one query. Openings and what is billed ahead have none.

    Cycles tile time and charges are not moved, so each is on one of them. The last cycle takes what is dated after
    the end as well: nothing comes after it.
    """
    wanted = [one for one in asked if one.kind in (Invoice.Kind.CYCLE, Invoice.Kind.ONE_OFF)]
    found: dict[int, list[OneOffCharge]] = {}
    if wanted:
        live = OneOffCharge.objects.filter(
            subscription_id__in={one.subscription.pk for one in wanted},
            withdrawn_at__isnull=True,
            charged_at__gte=min(one.period.start for one in wanted),
        )
        for charge in live.order_by("charged_at", "id"):
            found.setdefault(charge.subscription_id, []).append(charge)
    return [
        [
            line_of(charge, one)
            for charge in found.get(one.subscription.pk, [])
            if is_on(charge, one, timelines[one.subscription.pk])
        ]
        for one in asked
    ]


def is_on(charge: OneOffCharge, asked: Asked, timeline: Timeline) -> bool:
    if asked.kind == Invoice.Kind.ONE_OFF:
        return charge.is_billed_at_once and charge.charged_at == asked.period.start
    if asked.kind != Invoice.Kind.CYCLE or charge.is_billed_at_once:
        return False
    end = FOREVER if asked.period.end == timeline.ends_at else asked.period.end
    return asked.period.start <= charge.charged_at < end


def line_of(charge: OneOffCharge, asked: Asked) -> ComputedLine:
    result = rated(charge.quantity, charge.unit_amount, charge.currency)
    return ComputedLine(
        Kind.CHARGE,
        None,
        charge.description,
        Period(asked.period.start, asked.period.end),
        charge.quantity,
        None,
        result.unrounded_amount,
        result.amount,
        result.steps,
        one_off=charge,
    )
