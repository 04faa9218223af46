"""Teams come to be billed to their organization, go their own way again, and change to another organization."""

from contextlib import suppress
from datetime import datetime

import pytest
from django.db.models import F

from apps.core import clock
from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.customers.services.customers import update_customer
from apps.subscriptions.models import Subscription
from apps.subscriptions.services import team_billing
from tests.simulation.contracts import Contracts
from tests.simulation.failures import Killed, failing_after
from tests.simulation.world import DAY, HOUR, TeamTime


class Teams(Contracts):
    def regroup(self) -> None:
        if not self.parents:
            return
        team = self.chance.choice(sorted(self.parents))
        running = self.running_time(team)
        if self.chance.random() < 0.1:
            # What is known is written after the verb, so it forgets what was rolled back.
            with suppress(Killed, Refused), failing_after(team_billing, "record", Killed()):
                self.start_or_stop(team, running)
            return
        with suppress(Refused):
            if self.chance.random() < 0.2:
                self.move(team, running)
            else:
                self.start_or_stop(team, running)

    def running_time(self, team: str) -> TeamTime | None:
        """The first that is not over."""
        found = [one for one in self.times_of_team(team) if one.end is None or one.end > self.now]
        return min(found, key=lambda one: one.start, default=None)

    def start_or_stop(self, team: str, running: TeamTime | None) -> None:
        if running is None:
            self.start(team)
        elif running.end is not None and self.chance.random() < 0.5:
            self.bill_to_parent(team, "date", running.end)
        else:
            self.stop(running)

    def start(self, team: str) -> None:
        """Often from the end of a subscription of its own on."""
        own = self.running_life(team)
        if own is not None and self.chance.random() < 0.6:
            row = self.row(own)
            self.cancel(own, row, self.when(row))
            assert own.ends_at is not None
            self.bill_to_parent(
                team, "date", max(own.ends_at, self.billed_until(self.parents[team]) or own.ends_at)
            )
            return
        self.bill_to_parent(team, *self.some_time(self.parents[team]))

    def some_time(self, payer: str) -> tuple[str, datetime | None]:
        """When, and at which instant: now, a date, or right where the payer is billed until."""
        when = self.chance.choice(["now", "date", "date", "cursor"])
        if when == "now":
            return when, None
        if when == "cursor":
            return "date", self.billed_until(payer) or self.now
        return "date", (self.now + self.chance.randint(-10 * 24, 20 * 24) * HOUR).replace(microsecond=0)

    def billed_until(self, payer: str) -> datetime | None:
        """What is billed is billed: nothing is changed before."""
        rows = Subscription.objects.filter(customer__external_id=payer, invoiced_until__gt=F("started_at"))
        return max(rows.values_list("invoiced_until", flat=True), default=None)

    def instant(self, payer: str, at: datetime | None) -> datetime:
        return at or max(self.now, self.billed_until(payer) or self.now)

    def bill_to_parent(self, team: str, when: str, at: datetime | None) -> None:
        start = self.instant(self.parents[team], at)
        team_billing.bill_team_to_parent(team=named(team), when=when, at=at, now=self.now)
        self.team_times.append(TeamTime(team, self.parents[team], start))
        self.note(f"{team} is billed to {self.parents[team]} from {start}")
        life = self.running_life(self.parents[team])
        if life is not None and self.chance.random() < 0.4:
            self.set_threshold(life, self.row(life))

    def stop(self, running: TeamTime, when: str = "", at: datetime | None = None) -> None:
        if not when:
            when, at = self.some_time(running.payer)
        end = self.instant(running.payer, at)
        team_billing.stop_billing_team_to_parent(team=named(running.team), when=when, at=at, now=self.now)
        running.end = end
        if end <= running.start:
            self.team_times.remove(running)
        self.note(f"{running.team} is billed to {running.payer} no more from {end}")

    def move(self, team: str, running: TeamTime | None) -> None:
        """Stopped, given to another organization and billed to it, all at one instant."""
        others = sorted(set(self.customers[::5]) - {self.parents[team]})
        if not others:
            return
        parent = self.chance.choice(others)
        at = self.now
        if running is not None:
            self.stop(running, "now")
            at = running.end or at
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clock, "real_now", lambda: self.now)
            update_customer(customer=named(team), parent=named(parent))
        self.parents[team] = parent
        self.note(f"{team} belongs to {parent}")
        if at >= (self.billed_until(parent) or at) and at < self.now + DAY:
            self.bill_to_parent(team, "date", at)


def named(name: str) -> Customer:
    return Customer.objects.get(external_id=name)
