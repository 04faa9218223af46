"""Clients report what is used, at once or weeks late, twice, or in contradiction; staff correct it."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from apps.core.errors import Refused
from apps.usage.services.corrections import amend_event, void_event
from tests.harness.factories import report
from tests.simulation.failures import INGESTING_POINTS, Killed, failing_after
from tests.simulation.life import Life
from tests.simulation.offers import MODELS
from tests.simulation.world import MICROSECOND, Event, World


class Clients(World):
    def use(self) -> None:
        """A batch of a client: new events, most of them young; some again; one id with another content."""
        size = self.chance.randint(1, 4 + len(self.customers))
        events = [self.new_event(f"e{len(self.sent) + number}") for number in range(size)]
        again = self.chance.sample(list(self.sent.values()), min(len(self.sent), self.chance.randint(0, 3)))
        batch = [one.as_sent() for one in (*events, *again)]
        if again:
            batch.append(replace(again[0], tokens=again[0].tokens + 1).as_sent())
        if self.chance.random() < 0.1:
            module, name = self.chance.choice(INGESTING_POINTS)
            with suppress(Killed), failing_after(module, name, Killed()):
                report(*batch, now=self.now)
                self.note("a batch was taken in")
        verdicts = report(*batch, now=self.now)
        for event, verdict in zip(events, verdicts, strict=False):
            # Killed after the commit, or before it: the client can't tell, and asks again.
            assert verdict.status in ("accepted", "duplicate", "rejected"), verdict
            if verdict.status != "rejected":
                self.sent[event.id] = self.counting[event.id] = event
        assert {one.status for one in verdicts[size : size + len(again)]} <= {"duplicate"}
        assert [one.status for one in verdicts[size + len(again) :]] == ["conflict"] * bool(again)
        self.note(f"{size} events")

    def new_event(self, event_id: str) -> Event:
        customer = self.chance.choice(self.customers)
        tokens = Decimal(self.chance.randint(1, 400_000)) / 1000
        return Event(event_id, customer, self.some_instant(customer), self.chance.choice(MODELS), tokens)

    def some_instant(self, customer: str) -> datetime:
        """Mostly of the last days, sometimes weeks late, sometimes just where something begins or ends."""
        edges = [
            edge
            for life in self.lives
            if life.customer == customer
            for edge in (*life.edges(), life.started_at, life.ends_at, self.last_boundary(life))
            if edge is not None and edge <= self.now
        ]
        edges += [
            edge
            for one in self.times_of_team(customer)
            for edge in (one.start, one.end, *self.boundaries_of(one.payer))
            if edge is not None and edge <= self.now
        ]
        if edges and self.chance.random() < 0.2:
            edge = self.chance.choice(sorted(edges)[-6:])
            return edge + self.chance.choice([-MICROSECOND, timedelta(0), timedelta(0), MICROSECOND])
        longest = self.chance.choice([1, 1, 3, 3, 8, 40, 70])
        return self.now - timedelta(seconds=self.chance.randrange(longest * 86_400))

    def boundaries_of(self, customer: str) -> list[datetime]:
        return [self.last_boundary(life) for life in self.lives if life.customer == customer]

    def last_boundary(self, life: Life) -> datetime:
        return self.row(life).invoiced_until

    def correct(self) -> None:
        if not self.counting:
            return
        event = self.counting[self.chance.choice(sorted(self.counting))]
        common = {"event_id": event.id, "reason": "It was wrong", "now": self.now}
        if self.chance.random() < 0.4:
            void_event.void_event(**common)
            del self.counting[event.id]
            self.note(f"voided {event.id}")
            return
        other = self.new_event(event.id)
        after = self.chance.choice(
            [
                other,
                replace(event, tokens=other.tokens),
                replace(event, at=other.at),
                replace(event, model=other.model),
            ]
        )
        changes = {"customer": after.customer, "timestamp": after.at, "properties": after.properties}
        with suppress(Refused):
            amend_event.amend_event(changes=changes, **common)
            self.counting[event.id] = after
            self.note(f"amended {event.id}")
