"""Customers come, change what they are on, pause, move and leave."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.core.errors import Refused
from apps.customers.models import Customer
from apps.subscriptions.models import Subscription
from apps.subscriptions.services import cancel, change_subscription, pause, rewrite, subscribe
from apps.subscriptions.services.change_time_zone import change_time_zone
from apps.subscriptions.services.set_billing_threshold import set_billing_threshold
from tests.simulation.failures import Killed, failing_after
from tests.simulation.life import Life, Steps
from tests.simulation.world import DAY, HOUR, ZONES, World

PLANS = ["start", "grow", "quarter", "year", "week", "words"]
Way = Callable[[Life, Subscription], None]
# Each prices one meter alone, so that a team can pay for one itself and leave the other to its organization.
NARROW = ["quarter", "words"]


class Contracts(World):
    def join(self) -> None:
        """Whoever has no subscription, at an instant that may be past."""
        free = [
            name for name in self.customers if all(one.is_over for one in self.lives if one.customer == name)
        ]
        if not free:
            return
        name = self.chance.choice(free)
        if name in self.parents and self.chance.random() < 0.6:
            return
        customer = Customer.objects.get(external_id=name)
        started_at = self.now - self.chance.choice([0, 0, 1, 30]) * self.chance.random() * DAY
        started_at = started_at.replace(microsecond=0)
        former = [one.ends_at for one in self.lives if one.customer == name and one.ends_at]
        started_at = max([started_at, *former])
        family = "day" if self.customers.index(name) % 2 else "second"
        version = self.shop.versions[f"{self.chance.choice(self.plans_for(name))}-{family}"]
        anchor = self.chance.choice(["calendar", "anniversary", "day_of_month"])
        day = self.chance.choice([1, 5, 15, 28, 30, 31]) if anchor == "day_of_month" else None
        seats = self.chance.randint(1, 3)
        trial = {"trial_days": 10, "trial_covers": self.chance.choice(["fees", "everything"])}
        try:
            subscription = subscribe.subscribe(
                customer=customer, plan_version=version, started_at=started_at, now=self.now, billing_anchor=anchor,
                billing_day=day, quantity=seats, **(trial if self.chance.random() < 0.25 else {}),
            )  # fmt: skip
        except Refused as refused:
            if refused.code != "meter_billed_in_family":
                raise
            return
        zone = ZoneInfo(customer.time_zone)
        first = subscription.phases.order_by("starts_at")[0]
        is_tried = first.treatment != "billed"
        life = Life(
            subscription.pk, name, anchor, day, started_at, Steps(started_at, version.pk), Steps(started_at, seats),
            Steps(started_at, False), Steps(started_at, zone), self.shop.by_version,
            trial_ends_at=first.ends_at if is_tried else None, trial=first.treatment if is_tried else "",
        )  # fmt: skip
        life.change_version(started_at, version.pk)
        self.lives.append(life)
        self.note(f"{name} joins {version} {anchor} {day} from {started_at}, {seats} seats, {life.trial}")

    def plans_for(self, name: str) -> list[str]:
        is_in_family = name in self.parents or name in self.parents.values()
        return [*PLANS, *NARROW * 3] if is_in_family else PLANS

    def change(self) -> None:
        life = self.some_life()
        if life is None:
            return
        subscription = self.row(life)
        way = self.chance.choice(self.ways())
        if self.chance.random() < 0.06:
            # What the life knows is written after the verb, so it forgets what was rolled back.
            with suppress(Killed, Refused), failing_after(rewrite, "refresh", Killed()):
                way(life, subscription)
            return
        with suppress(Refused):
            way(life, subscription)
            self.note(f"{way.__name__} of {life.customer}")

    def ways(self) -> list[Way]:
        return [
            self.change_terms, self.change_terms, self.drop_change, self.pause, self.resume, self.leave,
            self.reactivate, self.move_zone, self.set_threshold,
        ]  # fmt: skip

    def when(self, subscription: Subscription) -> dict[str, Any]:
        when = self.chance.choice(["now", "now", "period_end", "date", "date", "cursor"])
        common: dict[str, Any] = {"subscription": subscription, "now": self.now}
        if when == "cursor":
            return {**common, "when": "date", "at": subscription.invoiced_until}
        if when == "date":
            hours = self.chance.randint(-48, 40 * 24)
            return {**common, "when": "date", "at": (self.now + hours * HOUR).replace(microsecond=0)}
        return {**common, "when": when}

    def effective(self, life: Life, subscription: Subscription, given: dict[str, Any]) -> datetime:
        """When it counts from: by day from the local midnight before it, and never before the cursor."""
        if given["when"] == "period_end":
            base = max(self.now, subscription.invoiced_until)
            return next(
                one.end for one in life.stretches("fees", base + 800 * DAY) if one.start <= base < one.end
            )
        instant = given.get("at", self.now)
        if life.offer_at(instant).proration == "day":
            zone = life.zone.changes[-1][1]
            local = instant.astimezone(zone)
            instant = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
        return max(instant, subscription.invoiced_until)

    def change_terms(self, life: Life, subscription: Subscription) -> None:
        given = self.when(subscription)
        begin = self.effective(life, subscription, given)
        family = life.offer_at(self.now).proration
        code = f"{self.chance.choice(self.plans_for(life.customer))}-{family}"
        version = self.shop.versions[code] if self.chance.random() < 0.6 else None
        seats = self.chance.randint(1, 4) if version is None or self.chance.random() < 0.4 else None
        change_subscription.change_subscription(plan_version=version, quantity=seats, **given)
        if version is not None:
            life.change_version(begin, version.pk)
        if seats is not None:
            life.seats.set_from(begin, seats)
        self.note(f"{life.customer} from {begin}: {code if version else ''} {seats or ''}")

    def drop_change(self, life: Life, subscription: Subscription) -> None:
        change_subscription.drop_scheduled_change(subscription=subscription, now=self.now)
        at = max(self.now, subscription.invoiced_until)
        for steps in (life.version, life.seats):
            steps.changes = [one for one in steps.changes if one[0] <= at]

    def pause(self, life: Life, subscription: Subscription) -> None:
        given = self.when(subscription)
        begin = self.effective(life, subscription, given)
        resume_at = begin + self.chance.randint(1, 40) * DAY if self.chance.random() < 0.7 else None
        pause.pause(resume_at=resume_at, **given)
        if resume_at is None:
            life.is_paused.set_from(begin, True)
        else:
            life.is_paused.set_between(begin, resume_at, True)
        self.note(f"{life.customer} paused from {begin} to {resume_at}")

    def resume(self, life: Life, subscription: Subscription) -> None:
        given = self.when(subscription)
        begin = self.effective(life, subscription, given)
        pause.resume(**given)
        life.is_paused.set_from(begin, False, keeps_later=True)
        self.note(f"{life.customer} resumed from {begin}")

    def leave(self, life: Life, subscription: Subscription) -> None:
        if self.chance.random() < 0.5:
            return
        self.cancel(life, subscription, self.when(subscription))

    def cancel(self, life: Life, subscription: Subscription, given: dict[str, Any]) -> None:
        unused = self.chance.choice(["credit", "refund", "nothing"])
        canceled = cancel.cancel(unused=unused, **given)
        asked = max(given.get("at", self.now), subscription.invoiced_until)
        assert canceled.ends_at is not None
        if given["when"] == "period_end":
            assert canceled.ends_at == self.effective(life, subscription, given)
        else:
            assert asked <= canceled.ends_at <= asked + 25 * HOUR
        life.ends_at, life.is_unused_paid = canceled.ends_at, unused == "nothing"
        life.is_over = canceled.status == "ended"
        self.note(f"{life.customer} ends at {life.ends_at}: {unused}")

    def reactivate(self, life: Life, subscription: Subscription) -> None:
        cancel.reactivate(subscription=subscription, now=self.now)
        life.ends_at, life.is_unused_paid = None, False

    def set_threshold(self, life: Life, subscription: Subscription) -> None:
        """A few days' usage, or none any more."""
        amount = self.chance.choice([None, Decimal(1), Decimal("4.20"), Decimal(15)])
        set_billing_threshold(subscription=subscription, amount=amount, now=self.now)
        self.note(f"{life.customer} is billed ahead from {amount}")

    def move_zone(self, life: Life, subscription: Subscription) -> None:
        cursor = subscription.invoiced_until
        if subscription.next_boundary_at - cursor < 2 * DAY:
            return
        zone = self.chance.choice(ZONES)
        moved = change_time_zone(subscription=subscription, time_zone=zone, now=self.now)
        starts = set(subscription.phases.values_list("starts_at", flat=True))
        follow(life.version, starts, cursor)
        follow(life.seats, starts, cursor)
        follow(life.is_paused, starts, cursor)
        if life.trial_ends_at is not None:
            trial = Steps(life.trial_ends_at, None)
            follow(trial, starts, cursor)
            life.trial_ends_at = trial.changes[0][0]
        for code, steps in life.add_ons.items():
            follow(steps, edges_of_add_on(subscription, code), cursor)
        life.change_zone(cursor, ZoneInfo(zone))
        life.ends_at = moved.ends_at
        self.note(f"{life.customer} moves to {zone}, counted from {cursor}")


def edges_of_add_on(subscription: Subscription, code: str) -> set[datetime]:
    rows = subscription.add_ons.filter(plan__code=code).values_list("starts_at", "ends_at")
    return {edge for row in rows for edge in row if edge is not None}


def follow(steps: Steps[Any], starts: set[datetime], cursor: datetime) -> None:
    """What was to begin at an old boundary begins at the new one, which lies less than two days away."""
    moved = []
    for start, value in steps.changes:
        if start > cursor and start not in starts:
            near = [one for one in starts if abs(one - start) < 2 * DAY]
            start = min(near, key=lambda one: abs(one - start), default=start)  # noqa: PLW2901
        moved.append((start, value))
    steps.changes = moved
