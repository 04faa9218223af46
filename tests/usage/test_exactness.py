"""Totals equal a scan in fractions whatever has happened to the events: late ones, retries, voids, amendments, and
ranges that were reported anew and taken back.

An example is one set of events with its history, of which several questions are asked. With those of
`test_aggregations` and `test_quantities` the suite has more than a thousand; HYPOTHESIS_PROFILE=soak has many more.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.usage.models import UsageBackfill
from apps.usage.selectors import Span, by_dimensions, quantities_over, totals_of
from apps.usage.services.corrections.amend_event import amend_event
from apps.usage.services.corrections.backfills import open_backfill
from apps.usage.services.corrections.close_backfill import close_backfill
from apps.usage.services.corrections.revert_backfill import revert_backfill
from apps.usage.services.corrections.stage_events import stage_events
from apps.usage.services.corrections.void_event import void_event
from tests.harness.evidence import rolled_back
from tests.harness.factories import an_event, make_customer, make_meter, report
from tests.usage.marks import DAY, day_of, set_mark, wander
from tests.usage.scan import Reported, count_of, quantity_of, rounded
from tests.usage.test_aggregations import AGGREGATIONS, LENGTH, MODELS, REGIONS, instants, levels, periods
from tests.usage.test_quantities import FROM, MICROSECOND, NOW
from tests.usage.totals import assert_rollups_equal_events

IS_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
# Each a test of its own, so that workers share them.
PARTS = 4
SETS_OF_EVENTS = 5_000 if IS_SOAK else 190
QUESTIONS = 5
CUSTOMERS = ("chat", "code")
BECAUSE = {"reason": "It was wrong", "now": NOW}


@dataclass(frozen=True)
class Event:
    """What an id stands for."""

    id: str
    customer: str
    what: Reported

    def properties(self) -> dict[str, str]:
        return {
            "level": format(self.what.level, "f"),
            "model": self.what.model,
            "region": self.what.region,
        }

    def as_sent(self) -> dict[str, Any]:
        at = self.what.at.isoformat()
        return an_event(self.id, customer=self.customer, timestamp=at, properties=self.properties())


@dataclass
class Closed:
    """A backfill that counts: what it brought, and what it took away."""

    backfill: UsageBackfill
    brought: dict[str, Event]
    taken: dict[str, Event]


@dataclass
class Books:
    """What should count, beside what the product keeps. Every step is done to both."""

    pool: list[Event]
    chance: Random
    counting: dict[str, Event] = field(default_factory=dict)
    # By id the event whose content is compared with a retry's.
    known: dict[str, Event] = field(default_factory=dict)
    closed: list[Closed] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def some(self, events: Sequence[Event]) -> list[Event]:
        return self.chance.sample(events, self.chance.randint(0, len(events)))

    def report(self) -> None:
        """New ones at any time, and some again, be they voided or amended."""
        size = self.chance.randint(1, max(1, len(self.pool)))
        new, self.pool = self.pool[:size], self.pool[size:]
        new = [event for event in new if event.id not in self.known]
        again = self.some([*self.known.values(), *new])
        batch = [(event, "accepted") for event in new]
        for event in again:
            first = 0 if event.id in self.known else batch.index((event, "accepted")) + 1
            batch.insert(self.chance.randint(first, len(batch)), (event, "duplicate"))
        if batch:
            verdicts = report(*(event.as_sent() for event, _ in batch), now=NOW)
            assert [one.status for one in verdicts] == [status for _, status in batch]
        for event in new:
            self.known[event.id] = self.counting[event.id] = event

    def void(self) -> None:
        if self.counting:
            event_id = self.chance.choice(sorted(self.counting))
            void_event(event_id=event_id, **BECAUSE)
            del self.counting[event_id]
            self.done["voided"] += 1

    def amend(self) -> None:
        if not self.counting or not self.pool:
            return
        event = self.counting[self.chance.choice(sorted(self.counting))]
        other = self.pool.pop()
        after = replace(event, what=other.what)
        if self.chance.random() < 0.3:
            after = replace(after, what=replace(event.what, level=other.what.level))
        if self.chance.random() < 0.2:
            after = replace(after, customer=other.customer)
        changes = {"customer": after.customer, "timestamp": after.what.at, "properties": after.properties()}
        try:
            amend_event(event_id=event.id, changes=changes, **BECAUSE)
        except Refused as refused:
            if not same(after, event):
                raise AssertionError(refused.code) from refused
        else:
            self.counting[event.id] = after
            self.done["amended"] += 1

    def backfill(self) -> None:
        """Of ids that are new, that count, and that were voided; of one customer or all."""
        start, end = sorted(self.chance.choice(self.pool or PLACES).what.at for _ in range(2))
        end = max(end, start + self.chance.choice([MICROSECOND, timedelta(minutes=30), timedelta(hours=26)]))
        mode = self.chance.choice(["add", "replace"])
        customer = self.chance.choice([None, *CUSTOMERS])
        given = {
            event.id: self.within(start, end, event, customer)
            for event in [*self.some(list(self.known.values())), *self.some(self.pool[:4])]
        }
        self.pool = [event for event in self.pool if event.id not in given]
        target = open_backfill(
            starts_at=start, ends_at=end, mode=mode,
            customer=customer and Customer.objects.get(external_id=customer), **BECAUSE,
        )  # fmt: skip
        staged = stage_events(backfill=target, events=[one.as_sent() for one in given.values()], now=NOW)
        assert {one.status for one in staged} <= {"accepted"}
        in_range = {
            event.id: event
            for event in self.counting.values()
            if mode == "replace" and start <= event.what.at < end and customer in (None, event.customer)
        }
        same_again = {name for name, event in in_range.items() if name in given and same(given[name], event)}
        taken = {name: event for name, event in in_range.items() if name not in same_again}
        brought = {name: event for name, event in given.items() if name not in self.counting or name in taken}
        self.closed.append(Closed(close_backfill(backfill=target, now=NOW), brought, taken))
        for name in taken:
            del self.counting[name]
        self.counting |= brought
        self.known = brought | self.known
        self.done["closed"] += bool(brought or taken)

    def within(self, start: datetime, end: datetime, event: Event, customer: str | None) -> Event:
        """As it is when it lies within the range, else moved there."""
        if customer is not None and event.customer != customer:
            event = replace(event, customer=customer)
        if start <= event.what.at < end and self.chance.random() < 0.7:
            return event
        at = start + self.chance.randrange((end - start) // MICROSECOND) * MICROSECOND
        return replace(event, what=replace(event.what, at=at))

    def revert(self) -> None:
        """Refused when something was built on it; then nothing changes."""
        if not self.closed:
            return
        one = self.closed.pop(self.chance.randrange(len(self.closed)))
        try:
            revert_backfill(backfill=one.backfill, **BECAUSE)
        except Refused:
            return
        for name, event in one.brought.items():
            if self.counting.get(name) is event:
                del self.counting[name]
        self.counting |= one.taken
        self.done["reverted"] += bool(one.brought or one.taken)


def same(one: Event, other: Event) -> bool:
    return (one.customer, one.what.at, one.properties()) == (
        other.customer, other.what.at, other.properties(),
    )  # fmt: skip


# Where a backfill lies that finds no event left to begin at.
PLACES = [
    Event("", "chat", Reported(FROM + timedelta(hours=hours, minutes=minutes), 0, "", ""))  # type: ignore[arg-type]
    for hours in (1, 18, 30, 77)
    for minutes in (0, 30, 45)
]
events = st.lists(
    st.builds(Reported, instants, levels, st.sampled_from(MODELS), st.sampled_from(REGIONS)),
    min_size=1, max_size=16,
)  # fmt: skip
steps = st.lists(
    st.sampled_from(["report", "report", "void", "amend", "amend", "backfill", "backfill", "revert"]),
    min_size=2, max_size=8,
)  # fmt: skip


@pytest.fixture
def meters(in_acme: Any) -> dict[int, str]:
    for one in CUSTOMERS:
        make_customer(one)
    found = {}
    for one in AGGREGATIONS:
        name = "" if one == "count" else "level"
        meter = make_meter(one, aggregation=one, value_property=name, dimensions=["model", "region"])
        found[meter.pk] = one
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_totals_equal_a_scan_whatever_was_corrected(meters: dict[int, str], part: int) -> None:
    histories: Counter[str] = Counter()

    @settings(max_examples=SETS_OF_EVENTS, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        rows=events,
        history=steps,
        asked=st.lists(periods, min_size=QUESTIONS, max_size=QUESTIONS),
        as_of=instants,
        chance=st.randoms(use_true_random=False),
    )
    def holds(
        rows: list[Reported],
        history: list[str],
        asked: list[tuple[datetime, datetime]],
        as_of: datetime,
        chance: Random,
    ) -> None:
        pool = [Event(f"e{number}", chance.choice(CUSTOMERS), what) for number, what in enumerate(rows)]
        books = Books(pool, chance)
        with rolled_back():
            set_mark(written_before=day_of(FROM) + chance.randrange(LENGTH) * DAY)
            for step in ["report", *history, "report"]:
                getattr(books, step)()
                wander(day_of(FROM) + chance.randrange(LENGTH) * DAY, chance)
            check(meters, books.counting.values(), asked, as_of)
            if chance.random() < 0.2:
                assert_rollups_equal_events()
        histories["all"] += 1
        histories.update(books.done.keys())

    holds()
    assert histories["all"] >= SETS_OF_EVENTS
    # In how many sets each was done, with an effect.
    assert min(histories[one] for one in ("voided", "amended", "closed", "reverted")) > 10, histories


def check(
    meters: dict[int, str],
    counting: Any,
    asked: list[tuple[datetime, datetime]],
    as_of: datetime,
) -> None:
    """Whole, and by one dimension, of both customers."""
    for external_id in CUSTOMERS:
        customer_id = Customer.objects.get(external_id=external_id).pk
        mine = [event.what for event in counting if event.customer == external_id]
        whole = quantities_over(customer_id=customer_id, meter_ids=meters, periods=asked, as_of=as_of)
        spans = [Span(customer_id, *period) for period in asked]
        by_model = totals_of(spans, meters, grouping=by_dimensions(["model"], {}), as_of=as_of)
        for number, (start, end) in enumerate(asked):
            for meter_id, aggregation in meters.items():
                one = whole[number][meter_id]
                assert (Fraction(one.quantity), one.event_count) == scanned(
                    aggregation, mine, start, end, as_of
                )
                found = {
                    group[0]: (Fraction(quantity.quantity), quantity.event_count)
                    for (pk, group), quantity in by_model[number].items()
                    if pk == meter_id
                }
                expected = {
                    model: scanned(
                        aggregation, [one for one in mine if one.model == model], start, end, as_of
                    )
                    for model in MODELS
                }
                assert found == {model: total for model, total in expected.items() if total != (0, 0)}


def scanned(
    aggregation: str, mine: list[Reported], start: datetime, end: datetime, as_of: datetime
) -> tuple[Fraction, int]:
    return (
        rounded(quantity_of(aggregation, mine, start, end, as_of)),
        count_of(aggregation, mine, start, end, as_of),
    )
