"""What there is: customers, their lives, the events that count, and the time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

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
        for number, name in enumerate(self.customers):
            make_customer(name, time_zone=ZONES[number % len(ZONES)])

    def note(self, what: str) -> None:
        self.diary.append(f"{self.now:%Y-%m-%d %H:%M} {what}")

    def some_life(self) -> Life | None:
        running = [one for one in self.lives if not one.is_over]
        return self.chance.choice(running) if running else None

    def row(self, life: Life) -> Subscription:
        return Subscription.objects.get(pk=life.subscription_id)
