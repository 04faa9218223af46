"""Percentage price: a rate of an amount of money, plus a fixed amount per event."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from apps.rating.charge import Event, Step, StepKind, Usage
from apps.rating.conversion import Rounding
from apps.rating.errors import Problem, UsageError
from apps.rating.exact import ZERO
from apps.rating.prices.base import UsagePrice
from apps.rating.values import Amount, Count, Rate
from apps.rating.words import Words, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentage(UsagePrice):
    """The metered quantity is money, as in payment processing: base × rate + events × fixed amount.

    The first `events_included` events, up to `amount_included` of money, are free of both parts. The free
    part goes through the events in order and ends at whichever limit comes first; the event that crosses the
    amount pays the rate on its excess and the fixed amount. Usage may list the first events only, up to the
    first that is not free. Lago: percentage with free units.
    """

    model: ClassVar[str] = "percentage"
    can_commit_quantity: ClassVar[bool] = False

    rate: Rate
    fixed_amount: Amount = ZERO
    events_included: Count | None = None
    amount_included: Amount | None = None

    def problems(self) -> Iterator[Problem]:
        yield from UsagePrice.problems(self)
        if self.convert is not None and self.convert.rounding is not Rounding.NONE:
            yield Problem("field_not_allowed", "/convert/rounding", "A percentage price can't round its base")
        if self.quantity_included and self._has_free_part:
            message = "Include a quantity, or events and an amount, not both"
            yield Problem("conflicting_fields", "/quantity_included", message)

    def rows(self, quantity: Decimal, usage: Usage, words: Words) -> list[Step]:
        count = _event_count(usage)
        free_amount, free_events = self._free(quantity, count, usage)
        base, charged = quantity - free_amount, count - free_events
        rows = []
        if self._has_free_part:
            of_events = f" and {plural(free_events, 'event')}" if free_events else ""
            text = f"{words.money(free_amount)}{of_events} included"
            rows.append(Step(StepKind.INCLUDED, text, quantity=free_amount))
        text = words.share(base, self.rate)
        rows.append(Step(StepKind.PERCENTAGE, text, quantity=base, rate=self.rate, amount=base * self.rate))
        if self.fixed_amount:
            fixed = charged * self.fixed_amount
            text = f"{plural(charged, 'event')} × {words.price(self.fixed_amount)}"
            events = Decimal(charged)
            rows.append(
                Step(StepKind.FIXED, text, quantity=events, unit_amount=self.fixed_amount, amount=fixed)
            )
        return rows

    @property
    def _has_free_part(self) -> bool:
        return self.events_included is not None or self.amount_included is not None

    def _free(self, quantity: Decimal, count: int, usage: Usage) -> tuple[Decimal, int]:
        """Money and events that are free."""
        if not self._has_free_part:
            return ZERO, 0
        amount_limit = quantity if self.amount_included is None else self.amount_included
        event_limit = count if self.events_included is None else self.events_included
        if self.events_included is None and not self.fixed_amount:
            return min(quantity, amount_limit), 0
        if quantity <= amount_limit and count <= event_limit:
            return quantity, count
        return self._free_in_order(usage.events, count, amount_limit, event_limit)

    def _free_in_order(
        self, events: tuple[Event, ...], count: int, amount_limit: Decimal, event_limit: int
    ) -> tuple[Decimal, int]:
        metered = ZERO
        free = ZERO
        for index, event in enumerate(events):
            if index >= event_limit:
                return free, index
            metered += event.quantity
            # Converting the running sum keeps 20/60 + 40/60 exactly 1, so that a limit of 1 still covers
            # both.
            running = metered if self.convert is None else self.convert.apply(metered)
            if running > amount_limit:
                return amount_limit, index
            free = running
        if len(events) >= min(count, event_limit):
            return free, len(events)
        message = "The events are needed one by one, up to the first that is not free"
        raise UsageError.of("events_required", message, "/events")


def _event_count(usage: Usage) -> int:
    """Number of events, of which only the first may be listed. Refuses a list that contradicts the totals."""
    listed = len(usage.events)
    if not listed:
        return usage.event_count
    count = usage.event_count or listed
    if count < listed:
        raise UsageError.of("event_count_mismatch", "There are more events than that", "/event_count")
    quantity = sum((event.quantity for event in usage.events), ZERO)
    if quantity > usage.quantity or (count == listed and quantity != usage.quantity):
        raise UsageError.of("quantity_mismatch", "The quantity is not the sum of its events", "/quantity")
    return count
