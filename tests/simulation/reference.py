"""The bill of a year anew: from the events that count and from what was asked for, without the product's computing.

Its own calendar says which cycles there should be, its own timeline which price takes an event, its own arithmetic
what that costs. What the product stored is read as rows of invoices and lines, and nothing else.
"""

from datetime import datetime
from decimal import Decimal

from apps.invoices.models import Invoice, InvoiceLine
from apps.usage.models import UsageEvent
from tests.simulation.fees import check_fees
from tests.simulation.life import Life
from tests.simulation.team_checks import check_teams
from tests.simulation.used import ISSUED, NOTHING, Key, Sum, Taken, rounded, usage_of
from tests.simulation.year import Year


def check(year: Year) -> None:
    """Raises AssertionError with what differs."""
    assert not Invoice.objects.filter(status="draft").exists()
    assert UsageEvent.objects.values("event_id").distinct().count() == len(year.sent)
    expected: dict[Key, Taken] = {}
    for life in year.lives:
        expected |= usage_of(life, check_cycles(life), year)
    check_usage(billed_usage(), {key: one.sum() for key, one in expected.items()})
    check_teams(expected)
    for life in year.lives:
        check_fees(life)
        check_charges(life)
        check_ahead(life)
    check_numbers()


def check_cycles(life: Life) -> list[tuple[datetime, datetime]]:
    """One invoice for each cycle of the calendar, from the start to the end."""
    rows = Invoice.objects.filter(
        subscription_id=life.subscription_id, kind="cycle", status__in=ISSUED
    ).values_list("period_start", "period_end")
    assert life.ends_at is not None
    expected = [(one.start, one.end) for one in life.stretches("usage", life.ends_at)]
    extra, missing = sorted(set(rows) - set(expected)), sorted(set(expected) - set(rows))
    assert sorted(rows) == expected, (
        f"cycles of {life.customer}, subscription {life.subscription_id} ({life.anchor} {life.day}):\n"
        + "\n".join(
            [*(f"too many {start} to {end}" for start, end in extra)]
            + [f"missing {start} to {end}" for start, end in missing]
        )
    )
    return expected


def billed_usage() -> dict[Key, Sum]:
    """Usage and adjustments on all invoices that are not void, but for what was billed ahead of its cycle."""
    found: dict[Key, Sum] = {}
    lines = InvoiceLine.objects.filter(
        kind__in=["usage", "adjustment"], invoice__kind__in=["cycle", "late"], invoice__status__in=ISSUED
    )
    for *key, count, quantity, amount in lines.values_list(
        "invoice__subscription_id",
        "price_id",
        "period_start",
        "period_end",
        "event_count",
        "quantity",
        "amount",
    ):
        found[Key(*key)] = found.get(Key(*key), NOTHING).plus(count, quantity, amount)
    return found


def check_usage(found: dict[Key, Sum], expected: dict[Key, Sum]) -> None:
    """Every event in one price and period, at what all of them cost; and nothing else."""
    wrong = []
    for key in sorted(found.keys() | expected.keys()):
        is_billed, is_due = found.get(key, NOTHING), expected.get(key, NOTHING)
        if key not in expected or is_billed != is_due:
            wrong.append(f"{key}: billed {is_billed}, due {is_due}")
    assert not wrong, "\n".join(wrong)


def check_charges(life: Life) -> None:
    """Each on one invoice, rounded by itself; those that were withdrawn on none."""
    lines = InvoiceLine.objects.filter(
        invoice__subscription_id=life.subscription_id, kind="charge", invoice__status__in=ISSUED
    )
    billed = sorted(lines.values_list("one_off_id", "amount"))
    expected = sorted((pk, rounded(amount)) for pk, amount in life.charges.items())
    assert billed == expected, f"charges of {life.customer}"


def check_ahead(life: Life) -> None:
    """What invoices of thresholds charge their cycles take off, to the cent."""
    mine = Invoice.objects.filter(subscription_id=life.subscription_id, status__in=ISSUED)
    charged = sum(mine.filter(kind="threshold").values_list("total", flat=True), Decimal(0))
    off = InvoiceLine.objects.filter(invoice__in=mine.filter(kind="cycle"), kind="billed_ahead")
    taken_off = sum(off.values_list("amount", flat=True), Decimal(0))
    assert charged + taken_off == 0, f"ahead of {life.customer}: charged {charged}, taken off {taken_off}"


def check_numbers() -> None:
    """No gap and no number twice, whatever was killed."""
    numbers = sorted(
        int(one.rpartition("-")[2]) for one in Invoice.objects.values_list("number", flat=True) if one
    )
    years = {one.finalized_at.year for one in Invoice.objects.exclude(finalized_at=None)}
    if len(years) == 1:
        assert numbers == list(range(1, len(numbers) + 1))
