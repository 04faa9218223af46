"""What a life costs is the sum of its parts: each plan's fee, for its seats, for its share of the calendar's period."""

from bisect import bisect_right
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import PlanVersion
from apps.core.errors import Refused
from apps.invoices.models import InvoiceLine
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.pause import pause, resume
from apps.tenants.models import Tenant
from tests.harness.evidence import rolled_back
from tests.scenarios.lifecycle.words import NO_TIME, at, base, fresh, run, sell, start

MICROSECOND = timedelta(microseconds=1)
START, END = at("2026-01-01"), at("2028-01-01")
# Months of a fee period, and what it costs a seat.
PLANS = [(1, 100), (3, 271), (12, 1200)]
ACT = st.tuples(
    st.integers(1, 24 * 60),
    st.sampled_from(["seats", "plan", "plan", "pause", "resume"]),
    st.integers(0, 2),
    st.booleans(),
)


class Steps:
    """A value that changes at instants."""

    def __init__(self, first: int) -> None:
        self.starts: list[datetime] = [START]
        self.values: list[int] = [first]

    def at(self, instant: datetime) -> int:
        return self.values[bisect_right(self.starts, instant) - 1]

    def set_from(self, instant: datetime, value: int, *, keeps_later: bool = False) -> None:
        later = [
            one for one in zip(self.starts, self.values, strict=True) if keeps_later and one[0] > instant
        ]
        kept = [one for one in zip(self.starts, self.values, strict=True) if one[0] < instant]
        both = [*kept, (instant, value), *later]
        self.starts, self.values = [one[0] for one in both], [one[1] for one in both]


class Life:
    def __init__(self) -> None:
        self.plan, self.seats, self.is_paused = Steps(2), Steps(1), Steps(False)

    def cost(self) -> Fraction:
        """By the second; where days are counted every edge is a midnight, so that it is the same."""
        edges = {END}
        for one in (self.plan, self.seats, self.is_paused):
            edges |= set(one.starts)
        edges |= {datetime(2026 + n // 12, n % 12 + 1, 1, tzinfo=START.tzinfo) for n in range(24)}
        found = Fraction(0)
        ordered = sorted(edges)
        for begin, end in pairwise(ordered):
            months, fee = PLANS[self.plan.at(begin)]
            seats = 0 if self.is_paused.at(begin) else self.seats.at(begin)
            found += fee * seats * Fraction((end - begin) // MICROSECOND, whole(begin, months) // MICROSECOND)
        return found


def whole(instant: datetime, months: int) -> timedelta:
    first = (instant.month - 1) // months * months
    begin = datetime(instant.year, first + 1, 1, tzinfo=instant.tzinfo)
    last = first + months
    end = datetime(instant.year + last // 12, last % 12 + 1, 1, tzinfo=instant.tzinfo)
    return end - begin


def act(life: Life, plans: list[PlanVersion], verb: str, number: int, /, **common: Any) -> None:
    """`at` may be the cursor, or lie after it."""
    asked, cursor = common["at"], common["subscription"].invoiced_until
    is_daily = plans[0].proration == "day"
    midnight = asked.replace(hour=0, minute=0, second=0, microsecond=0)
    begin = max(midnight if is_daily else asked, cursor)
    with suppress(Refused):
        if verb == "seats":
            change_subscription(**common, quantity=number + 1)
            life.seats.set_from(begin, number + 1)
        elif verb == "plan":
            change_subscription(**common, plan_version=plans[number])
            life.plan.set_from(begin, number)
        elif verb == "pause":
            pause(**common)
            life.is_paused.set_from(begin, True)
        else:
            resume(**common)
            life.is_paused.set_from(begin, False, keeps_later=True)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(acts=st.lists(ACT, min_size=1, max_size=6))
@pytest.mark.parametrize("timing", ["advance", "arrears"])
@pytest.mark.parametrize("proration", ["day", "second"])
def test_a_life_costs_what_its_parts_cost(
    in_acme: Tenant, acts: list[tuple[int, str, int, bool]], timing: str, proration: str
) -> None:
    """Some changes begin exactly where the last invoice ended, while that is still a draft or when it is issued."""
    with rolled_back():
        plans = [
            sell(
                f"p{months}", base(str(fee), timing, is_per_seat=True), interval_count=months,
                usage_interval_unit="month", usage_interval_count=1, proration=proration,
            )
            for months, fee in PLANS
        ]  # fmt: skip
        subscription, life, now = start(plans[2], START), Life(), START
        for hours, verb, number, is_at_cursor in acts:
            now += timedelta(hours=hours)
            run(now, grace=NO_TIME)
            subscription = fresh(subscription)
            asked = subscription.invoiced_until if is_at_cursor else now
            act(life, plans, verb, number, subscription=subscription, when="date", at=asked, now=now)
        run(END)
        found = InvoiceLine.objects.filter(period_start__lt=END).values_list("amount", flat=True)
        # Each line is rounded, and each part of a line that settles several.
        tolerance = Decimal("0.02") * (len(found) + len(acts))
        assert abs(Fraction(sum(found, Decimal(0))) - life.cost()) <= Fraction(tolerance)
