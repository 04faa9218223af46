"""Fill the demo: last month's usage and its invoices, and today's usage. Whatever is there already is kept.

Usage of last month is reported before the subscription exists, and the subscription begins in the past: so
a worker that runs meanwhile can't bill half of it, and the subscription says that last month is done. A run
that is killed at any point is finished by the next one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django_tenants.utils import tenant_context

from apps.catalog.selectors import published_version
from apps.core import clock
from apps.core.periods import month_start
from apps.customers.selectors import customer_by_reference
from apps.demo.api import Endpoint
from apps.demo.blueprint import TENANTS, DemoCustomer, DemoTenant
from apps.demo.replays import EVENT_NAME, Replay
from apps.demo.services import furnish, keys
from apps.demo.services.replay import Manner, ReplayError, is_complete, replay
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.subscribe import subscribe

UTC_ZONE = ZoneInfo("UTC")
# As many as `make run` has web workers.
MANNER = Manner(clients=2)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Seeding:
    """One run. `now` decides what last month and today are, also when the run passes midnight."""

    base_url: str
    now: datetime
    say: Say
    began_at: datetime = field(default_factory=clock.real_now)

    @property
    def today(self) -> date:
        return self.now.astimezone(UTC).date()

    @property
    def month_started_at(self) -> datetime:
        return month_start(self.now, UTC_ZONE, -1)

    @property
    def last_day_of_month(self) -> date:
        """Of the month that ended last."""
        return (month_start(self.now, UTC_ZONE, 0) - timedelta(days=1)).date()

    def endpoint(self, key: str) -> Endpoint:
        return Endpoint(self.base_url, key, tell=self.say)


def seed(*, base_url: str, now: datetime, say: Say) -> list[DemoTenant]:
    """Returns the tenants that are the demo's. Raises what a replay raises."""
    seeding = Seeding(base_url, now, say)
    furnish.provide_operator()
    return [demo for demo in TENANTS if seed_tenant(seeding, demo)]


def seed_tenant(seeding: Seeding, demo: DemoTenant) -> bool:
    tenant = furnish.provide_tenant(demo)
    if tenant is None:
        seeding.say(f"The tenant {demo.slug} is not the demo's ({demo.olga} is missing) and is left alone.")
        return False
    with tenant_context(tenant):
        endpoint = seeding.endpoint(keys.provide_key(tenant=tenant))
        new = [one for one in demo.customers if not is_subscribed(one)]
        if new:
            furnish.furnish(demo)
            report_strangers(endpoint, demo)
            bring_in(seeding, endpoint, new, seeding.last_day_of_month)
            for one in new:
                start_subscription(seeding, one)
        # The work of the close job, without waiting for it. What was brought in came after `now`: it would not be
        # found behind the lines that charge it, were they read then.
        read_at = seeding.now + (clock.real_now() - seeding.began_at)
        closed, finalized = close_due_periods(read_at), finalize_due_invoices(read_at)
        if closed:
            seeding.say(f"{demo.slug}: {closed} periods closed, {finalized} invoices finalized")
        bring_in(seeding, endpoint, demo.customers, seeding.today)
    return True


def is_subscribed(one: DemoCustomer) -> bool:
    return Subscription.objects.filter(customer__external_id=one.external_id).exists()


def start_subscription(seeding: Seeding, one: DemoCustomer) -> None:
    subscribe(
        customer=customer_by_reference(one.external_id),
        plan_version=published_version(plan_code=one.plan.code, number=1),
        started_at=seeding.month_started_at,
        now=seeding.now,
    )


def report_strangers(endpoint: Endpoint, demo: DemoTenant) -> None:
    """Events for the quarantine. Without a timestamp they have the same content in every run."""
    events = [
        {
            "id": f"demo-stranger-{number}",
            "event": EVENT_NAME,
            "customer": customer,
            "properties": {"input_tokens": 374, "output_tokens": 44, "model": "gpt-5"},
        }
        for number, customer in enumerate(demo.strangers, start=1)
    ]
    if events:
        with endpoint.connect() as api:
            api.report(events)


def bring_in(seeding: Seeding, endpoint: Endpoint, customers: Sequence[DemoCustomer], day: date) -> None:
    """Replay the customers' calls on `day`, unless a run has done so."""
    replays = [Replay(one.trace, one.external_id, day, one.calls) for one in customers]
    with endpoint.connect() as api:
        replays = [one for one in replays if not is_complete(api, one)]
    if not replays:
        return
    tally = replay(endpoint=endpoint, replays=replays, manner=MANNER)
    who = ", ".join(one.customer for one in replays)
    seeding.say(f"{who}: {tally.sent:,} events on {day}, {tally.per_second:,} a second")
    if not tally.is_clean:
        raise ReplayError(f"Not every event of {day} was taken: {tally.refusals[0]}")
