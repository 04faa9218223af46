"""What is asked for beside the plan: add-ons that come and go, and charges for something that happens once."""

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from typing import Any

from apps.core.errors import Refused
from apps.invoices.models import OneOffCharge
from apps.invoices.services import one_off_charges
from apps.subscriptions.models import Subscription
from apps.subscriptions.services import add_ons
from tests.simulation.contracts import Contracts, Way
from tests.simulation.failures import Killed, failing_after
from tests.simulation.life import Attached, Life
from tests.simulation.world import DAY


class Extras(Contracts):
    def ways(self) -> list[Way]:
        return [
            *super().ways(), self.attach, self.attach, self.attach, self.alter, self.alter, self.detach, self.charge,
            self.charge, self.withdraw,
        ]  # fmt: skip

    def join(self) -> None:
        """Some have an add-on from the start."""
        known = len(self.lives)
        super().join()
        for life in self.lives[known:]:
            if self.chance.random() < 0.3:
                given = {
                    "subscription": self.row(life),
                    "now": self.now,
                    "when": "date",
                    "at": life.started_at,
                }
                with suppress(Refused):
                    self.attach_as(life, given)

    def attach(self, life: Life, subscription: Subscription) -> None:
        self.attach_as(life, self.when(subscription))

    def attach_as(self, life: Life, given: dict[str, Any]) -> None:
        """Mostly one whose fees are for the interval of the plan's; another one is refused."""
        subscription = given["subscription"]
        begin = self.effective(life, subscription, given)
        every = life.offer_at(begin).fees_every
        fitting = sorted(one for one, offer in self.shop.add_ons.items() if offer.fees_every == every)
        code = self.chance.choice(fitting if self.chance.random() < 0.9 else sorted(self.shop.add_ons))
        version = self.shop.versions[code]
        count = self.chance.randint(1, 3)
        add_ons.attach_add_on(plan_version=version, quantity=count, **given)
        life.add_on(code).set_from(begin, Attached(version.pk, count))
        self.note(f"{life.customer} has {count} {code} from {begin}")

    def alter(self, life: Life, subscription: Subscription) -> None:
        """From then on there are so many, until it is detached."""
        code = self.some_add_on(life)
        if code is None:
            self.attach(life, subscription)
            return
        given = self.when(subscription)
        begin = self.effective(life, subscription, given)
        count = self.chance.randint(1, 4)
        add_ons.change_add_on(plan=self.shop.versions[code].plan, quantity=count, **given)
        steps = life.add_on(code)
        now, later = steps.at(begin), [one for one in steps.changes if one[0] > begin]
        assert now is not None
        steps.set_from(begin, now._replace(count=count))
        for start, value in later:
            steps.set_from(start, None if value is None else value._replace(count=count))
        self.note(f"{life.customer} has {count} {code} from {begin} on")

    def detach(self, life: Life, subscription: Subscription) -> None:
        code = self.some_add_on(life)
        if code is None:
            self.attach(life, subscription)
            return
        given = self.when(subscription)
        end = self.effective(life, subscription, given)
        add_ons.detach_add_on(plan=self.shop.versions[code].plan, **given)
        life.add_on(code).set_from(end, None)
        self.note(f"{life.customer} has no {code} from {end} on")

    def some_add_on(self, life: Life) -> str | None:
        known = sorted(code for code, steps in life.add_ons.items() if len(steps.changes) > 1)
        return self.chance.choice(known) if known else None

    def charge(self, life: Life, subscription: Subscription) -> None:
        """Something beside the plan, or a credit, now or some weeks ahead; at once also of those who have left."""
        amount, quantity = Decimal(self.chance.randint(-2000, 9000)) / 1000, self.chance.randint(1, 3)
        over = [one for one in self.lives if one.is_over]
        at_once = self.chance.random() < 0.3
        if at_once and over and self.chance.random() < 0.2:
            life = self.chance.choice(over)
            subscription = self.row(life)
        common: dict[str, Any] = {
            "subscription": subscription, "description": "Help", "unit_amount": amount,
            "quantity": Decimal(quantity), "reason": "Agreed", "now": self.now,
        }  # fmt: skip
        if at_once:
            made = one_off_charges.charge_at_once(**common)
        else:
            ahead = self.chance.choice([0, 0, 5, 40]) * DAY
            made = one_off_charges.add_charge(charged_at=self.now + ahead, **common)
        life.charges[made.pk] = quantity * Fraction(amount)
        self.note(f"{life.customer} is charged {quantity} * {amount}{' at once' * at_once}")

    def withdraw(self, life: Life, subscription: Subscription) -> None:
        """Whatever is not on an invoice, or on one that is void."""
        if not life.charges:
            self.charge(life, subscription)
            return
        pk = self.chance.choice(sorted(life.charges)[-3:])
        charge = OneOffCharge.objects.get(pk=pk)
        if self.chance.random() < 0.1:
            with suppress(Killed), failing_after(one_off_charges, "note", Killed()):
                one_off_charges.withdraw_charge(charge=charge, reason="A slip", now=self.now)
            return
        one_off_charges.withdraw_charge(charge=charge, reason="A slip", now=self.now)
        del life.charges[pk]
        self.note(f"{life.customer} is not charged {charge.amount} after all")
