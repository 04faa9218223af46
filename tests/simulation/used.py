"""Who is to pay for which events, and what they cost: by the simulation's own timeline and its own arithmetic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import NamedTuple

from tests.simulation.life import Life, Part
from tests.simulation.offers import Metered
from tests.simulation.world import MICROSECOND, Event
from tests.simulation.year import Year

CENT = Decimal("0.01")
ISSUED = ["open", "paid", "uncollectible"]


class Key(NamedTuple):
    """What is billed once: the usage of a subscription that a price takes in a part of a cycle."""

    subscription_id: int
    price_id: int
    start: datetime
    end: datetime


class Sum(NamedTuple):
    event_count: int
    quantity: Decimal
    amount: Decimal

    def plus(self, *other: Decimal) -> "Sum":
        count, quantity, amount = other
        return Sum(self.event_count + int(count), self.quantity + quantity, self.amount + amount)


NOTHING = Sum(0, Decimal(0), Decimal(0))


@dataclass(frozen=True)
class Taken:
    """Events that a price takes in a part of a cycle, and whose they may be: the customer's, then its teams'."""

    price: Metered
    is_free: bool
    events: Sequence[Event]
    customers: Sequence[str]

    def sum(self) -> Sum:
        quantity = quantity_of(self.price, self.events)
        cost = Fraction(0) if self.is_free else self.price.cost(quantity)
        return Sum(len(self.events), quantity, rounded(cost))

    def by_customer(self) -> dict[str, Sum]:
        """Cents by quantity; those left over go to the largest remainders, and among equals to whoever comes first."""
        mine = {who: [one for one in self.events if one.customer == who] for who in self.customers}
        quantities = {who: quantity_of(self.price, events) for who, events in mine.items()}
        total = self.sum()
        cents, whole = int(total.amount / CENT), sum(quantities.values())
        exact = {
            who: Fraction(cents) * Fraction(one) / Fraction(whole or 1) for who, one in quantities.items()
        }
        given = {who: int(one) for who, one in exact.items()}
        left = cents - sum(given.values()) if whole else 0
        for who in sorted(exact, key=lambda one: given[one] - exact[one])[:left]:
            given[who] += 1
        return {
            who: Sum(len(events), quantities[who], given[who] * CENT)
            for who, events in mine.items()
            if events
        }


def quantity_of(price: Metered, events: Sequence[Event]) -> Decimal:
    return Decimal(len(events)) if price.meter == "calls" else sum((one.tokens for one in events), Decimal(0))


def rounded(exact: Fraction) -> Decimal:
    """Half away from nothing, to the cent."""
    sign = -1 if exact < 0 else 1
    precise = sign * Decimal(abs(exact.numerator) * 10**12 // exact.denominator) / 10**12
    return precise.quantize(CENT, ROUND_HALF_UP)


def usage_of(life: Life, cycles: list[tuple[datetime, datetime]], year: Year) -> dict[Key, Taken]:
    mine = events_of(life, year)
    found: dict[Key, Taken] = {}
    for cycle in cycles:
        for part in life.usage_parts(*cycle):
            # A moment that a subscription goes on where it was billed already is after its end for whoever uses it.
            if part.treatment != "paused" and cycle[1] - cycle[0] > MICROSECOND:
                found |= taken_in(life, part, mine, year)
    return found


def events_of(life: Life, year: Year) -> list[Event]:
    """Its customer's own, and those of teams for the time that the customer pays for them."""
    times = [one for one in year.team_times if one.payer == life.customer]
    return [
        event
        for event in year.counting.values()
        if event.customer == life.customer
        or any(one.team == event.customer and one.covers(event.at) for one in times)
    ]


def taken_in(life: Life, part: Part, events: Iterable[Event], year: Year) -> dict[Key, Taken]:
    offer = life.by_version[part.version_id]
    inside = [event for event in events if part.start <= event.at < part.end]
    teams = {one.team for one in year.team_times if one.payer == life.customer and one.meets(*part[:2])}
    found = {}
    for price in offer.metered:
        key = Key(
            life.subscription_id, year.shop.price_ids[part.version_id, price.code], part.start, part.end
        )
        taken = [event for event in inside if offer.takes(price.meter, event.model) == price]
        found[key] = Taken(price, part.treatment == "trial_all", taken, [life.customer, *sorted(teams)])
    return found
