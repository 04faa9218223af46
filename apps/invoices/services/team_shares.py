"""Share a line out among the organization and its teams, without losing a cent or a unit."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from apps.invoices.models import InvoiceLine, TeamShare
from apps.invoices.selectors import BilledUsage
from apps.invoices.services.lines import ComputedLine, Share
from apps.invoices.services.taken import Taken
from apps.rating import allocate, exact_sum

ZERO = Decimal(0)


NOTHING = Share(0, ZERO, 0, ZERO)


def shares_of(taken: Taken, amount: Decimal, currency: str) -> tuple[Share, ...]:
    """By quantity, leftover minor units to the largest remainders; empty where nobody but the payer is billed.

    Customers who neither used anything nor pay for anything are left out.
    """
    if not taken.teams:
        return ()
    amounts = allocate(amount, weights_of(taken.teams), currency)
    shares = [
        Share(customer_id, one.quantity, one.event_count, part)
        for (customer_id, one), part in zip(taken.teams.items(), amounts, strict=True)
    ]
    return tuple(one for one in shares if one.quantity or one.event_count or one.amount)


def weights_of(teams: Mapping[int, Taken]) -> Sequence[Decimal | int]:
    """What was used; where events bring their prices, what it was worth. Where nothing was used the payer, who comes
    first, has it all: nobody's usage is the reason of a minimum.
    """
    used = [max(worth_of(one), ZERO) for one in teams.values()]
    if any(used):
        return used
    counts = [one.event_count for one in teams.values()]
    return counts if any(counts) else [1, *[0] * (len(teams) - 1)]


def worth_of(taken: Taken) -> Decimal:
    if taken.is_dynamic:
        return exact_sum(one.quantity * (one.unit_amount or ZERO) for one in taken.events)
    return taken.quantity


def differences_of(taken: Taken, billed: BilledUsage, amount: Decimal, currency: str) -> tuple[Share, ...]:
    """For late usage: what each has now of all that is charged, less what each had on the lines before."""
    now = {one.customer_id: one for one in shares_of(taken, exact_sum([billed.amount, amount]), currency)}
    found = []
    for customer_id in taken.teams:
        before = billed.teams.get(customer_id, NOTHING)
        after = now.get(customer_id, NOTHING)
        share = Share(
            customer_id,
            exact_sum([after.quantity, before.quantity.copy_negate()]),
            after.event_count - before.event_count,
            exact_sum([after.amount, before.amount.copy_negate()]),
        )
        if share.quantity or share.event_count or share.amount:
            found.append(share)
    return tuple(found)


def free(shares: Sequence[Share]) -> tuple[Share, ...]:
    return tuple(replace(one, amount=ZERO) for one in shares)


def store_shares(rows: Sequence[InvoiceLine], lines: Sequence[ComputedLine]) -> None:
    """With the lines just stored; no statement where no team is billed to anybody."""
    found = [
        TeamShare(
            line=row,
            customer_id=one.customer_id,
            quantity=one.quantity,
            event_count=one.event_count,
            amount=one.amount,
        )
        for row, line in zip(rows, lines, strict=True)
        for one in line.shares
    ]
    if found:
        TeamShare.objects.bulk_create(found)
