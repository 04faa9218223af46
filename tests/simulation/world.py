"""What there is: customers, their lives, the events that count, and the time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from apps.customers.models import Customer
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.factories import an_event, make_customer
from tests.simulation.life import Life
from tests.simulation.offers import Shop

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR, MICROSECOND = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Tokyo", "America/Los_Angeles",
    "Australia/Sydney",
]  # fmt: skip


@dataclass(frozen=True)
class Event:
    """What an id stands for."""

    id: str
    customer: str
    at: datetime
    model: str
    tokens: Decimal

    @property
    def properties(self) -> dict[str, str]:
        return {"model": self.model, "tokens": format(self.tokens, "f")}

    def as_sent(self) -> dict[str, Any]:
        return an_event(
            self.id, customer=self.customer, timestamp=self.at.isoformat(), properties=self.properties
        )


@dataclass
class TeamTime:
    """From `start` to `end` the payer's subscriptions price what the team uses."""

    team: str
    payer: str
    start: datetime
    end: datetime | None = None

    def covers(self, instant: datetime) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)

    def meets(self, start: datetime, end: datetime) -> bool:
        return self.start < end and (self.end is None or start < self.end)


class World:
    """All choices come from one seed, and are made among things in an order of their own."""

    def __init__(self, tenant: Tenant, *, seed: int, customers: int, months: int) -> None:
        self.tenant, self.chance = tenant, Random(seed)
        self.now, self.end = BEGIN, BEGIN + months * 30.4 * DAY
        self.customers = [f"c{number:02}" for number in range(customers)]
        self.lives: list[Life] = []
        self.counting: dict[str, Event] = {}
        self.sent: dict[str, Event] = {}
        self.diary: list[str] = []
        self.shop = Shop.opened()
        # Of five customers the first is an organization, and the next two are its teams.
        organizations = self.customers[::5]
        self.parents = {
            name: organizations[number // 5]
            for number, name in enumerate(self.customers)
            if number % 5 in (1, 2)
        }
        self.team_times: list[TeamTime] = []
        made: dict[str, Customer] = {}
        for number, name in enumerate(self.customers):
            parent = made.get(self.parents.get(name, ""))
            made[name] = make_customer(name, time_zone=ZONES[number % len(ZONES)], parent=parent)

    def note(self, what: str) -> None:
        self.diary.append(f"{self.now:%Y-%m-%d %H:%M} {what}")

    def some_life(self) -> Life | None:
        running = [one for one in self.lives if not one.is_over]
        return self.chance.choice(running) if running else None

    def row(self, life: Life) -> Subscription:
        return Subscription.objects.get(pk=life.subscription_id)

    def running_life(self, customer: str) -> Life | None:
        return next((one for one in self.lives if one.customer == customer and not one.is_over), None)

    def times_of_team(self, team: str) -> list[TeamTime]:
        return [one for one in self.team_times if one.team == team]
