"""Of everything that teams used: who pays, once; and what of a line is whose."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from django.db.models import Q
from django.db.models import Sum as Total

from apps.invoices.models import InvoiceLine, TeamShare
from tests.simulation.used import ISSUED, NOTHING, Key, Sum, Taken


def check_teams(expected: Mapping[Key, Taken]) -> None:
    check_payers(expected)
    check_sums()
    check_shares(expected)
    check_ahead_by_customer()


def check_payers(expected: Mapping[Key, Taken]) -> None:
    """What an event measures is in one price of one subscription, whoever pays."""
    takers: dict[tuple[str, str], list[Key]] = {}
    for key, taken in expected.items():
        for event in taken.events:
            takers.setdefault((event.id, taken.price.meter), []).append(key)
    twice = {what: keys for what, keys in takers.items() if len(keys) > 1}
    assert not twice, f"allowed to be billed twice: {twice}"


def check_sums() -> None:
    """Shares of a line are all of it, of whatever kind it is, issued, void or not."""
    shared = InvoiceLine.objects.filter(team_shares__isnull=False).annotate(
        shared_amount=Total("team_shares__amount"), shared_quantity=Total("team_shares__quantity")
    )
    wrong = [
        f"{one.invoice}, {one.kind} {one.description}: {one.quantity} for {one.amount}, shared "
        f"{one.shared_quantity} for {one.shared_amount}"
        for one in shared.select_related("invoice__customer")
        if one.shared_amount != one.amount
        or (one.quantity is not None and one.shared_quantity != one.quantity)
    ]
    assert not wrong, "\n".join(wrong)


def check_shares(expected: Mapping[Key, Taken]) -> None:
    """Of usage and late usage together each has what it used, and its part of what all of that costs."""
    found: dict[tuple[Key, str], Sum] = {}
    rows = TeamShare.objects.filter(
        line__kind__in=["usage", "adjustment"],
        line__invoice__kind__in=["cycle", "late"],
        line__invoice__status__in=ISSUED,
    ).values_list(
        "line__invoice__subscription_id", "line__price_id", "line__period_start", "line__period_end",
        "customer__external_id", "event_count", "quantity", "amount",
    )  # fmt: skip
    for row in rows:
        place = Key(*row[:4]), row[4]
        found[place] = found.get(place, NOTHING).plus(*row[5:])
    due = {
        (key, who): part
        for key, taken in expected.items()
        if len(taken.customers) > 1
        for who, part in taken.by_customer().items()
    }
    wrong = [
        f"{place}: has {found.get(place, NOTHING)}, due {due.get(place, NOTHING)}"
        for place in sorted(found.keys() | due.keys())
        if found.get(place, NOTHING) != due.get(place, NOTHING)
    ]
    assert not wrong, "\n".join(wrong)


def check_ahead_by_customer() -> None:
    """What a team has of what was billed ahead is taken off in its name."""
    left: Counter[tuple[int, str]] = Counter()
    rows = TeamShare.objects.filter(line__invoice__status__in=ISSUED).filter(
        Q(line__invoice__kind="threshold") | Q(line__invoice__kind="cycle", line__kind="billed_ahead")
    )
    for pk, who, amount in rows.values_list(
        "line__invoice__subscription_id", "customer__external_id", "amount"
    ):
        left[pk, who] += amount
    wrong = {place: amount for place, amount in left.items() if amount != Decimal(0)}
    assert not wrong, f"billed ahead and not taken off: {wrong}"
