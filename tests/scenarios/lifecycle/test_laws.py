"""Laws that hold whatever happens to a subscription, by random lives."""

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import PlanVersion
from apps.core.errors import Refused
from apps.invoices.models import Invoice, InvoiceLine
from apps.rating import prorate, round_amount
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.add_ons import attach_add_on, change_add_on, detach_add_on
from apps.subscriptions.services.cancel import cancel, reactivate
from apps.subscriptions.services.change_subscription import change_subscription, drop_scheduled_change
from apps.subscriptions.services.change_time_zone import change_time_zone
from apps.subscriptions.services.pause import pause, resume
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in, rolled_back
from tests.harness.factories import an_event, make_meter, report
from tests.scenarios.lifecycle.words import NO_TIME, at, base, calls, fresh, run, sell, start

START = at("2026-01-01")
YEAR = timedelta(days=365)
EXAMPLES = settings(max_examples=16, deadline=None, suppress_health_check=list(HealthCheck))
STEP = st.tuples(
    st.integers(1, 90),
    st.sampled_from(
        [
            "seats",
            "plan",
            "plan_later",
            "quarterly",
            "plan_at_cursor",
            "quarterly_at_cursor",
            "cancel_at_cursor",
            "drop",
            "pause",
            "resume",
            "cancel",
            "reactivate",
            "zone",
            "attach",
            "attach_at_cursor",
            "more_of_it",
            "detach",
        ]
    ),
    st.integers(1, 5),
)
LIVES = st.lists(STEP, min_size=1, max_size=6)


def microseconds(start: datetime, end: datetime) -> int:
    return (end - start) // timedelta(microseconds=1)


def act(subscription: Subscription, plans: list[PlanVersion], verb: str, number: int, now: datetime) -> None:
    common: dict[str, Any] = {"subscription": subscription, "now": now}
    at_cursor: dict[str, Any] = {"when": "date", "at": fresh(subscription).invoiced_until}
    ways = {
        "seats": lambda: change_subscription(**common, quantity=number, when="now"),
        "plan": lambda: change_subscription(**common, plan_version=plans[number % 2], when="now"),
        "plan_later": lambda: change_subscription(
            **common, plan_version=plans[number % 2], quantity=number, when="period_end"
        ),
        "quarterly": lambda: change_subscription(**common, plan_version=plans[2], when="now"),
        "plan_at_cursor": lambda: change_subscription(**common, **at_cursor, plan_version=plans[number % 2]),
        "quarterly_at_cursor": lambda: change_subscription(**common, **at_cursor, plan_version=plans[2]),
        "cancel_at_cursor": lambda: cancel(**common, **at_cursor, unused="credit"),
        "drop": lambda: drop_scheduled_change(**common),
        "pause": lambda: pause(**common, when="now", resume_at=now + timedelta(days=7 * number)),
        "resume": lambda: resume(**common, when="now"),
        "cancel": lambda: cancel(**common, when="date", at=now + timedelta(days=number), unused="credit"),
        "reactivate": lambda: reactivate(**common),
        "zone": lambda: change_time_zone(
            **common, time_zone=["UTC", "Europe/Berlin", "America/New_York"][number % 3]
        ),
        "attach": lambda: attach_add_on(
            **common, plan_version=plans[3], quantity=number, when=["now", "period_end"][number % 2]
        ),
        "attach_at_cursor": lambda: attach_add_on(**common, **at_cursor, plan_version=plans[3]),
        "more_of_it": lambda: change_add_on(**common, plan=plans[3].plan, quantity=number, when="now"),
        "detach": lambda: detach_add_on(**common, plan=plans[3].plan, when=["now", "period_end"][number % 2]),
    }
    with suppress(Refused):
        ways[verb]()


def sold(timing: str, proration: str = "second") -> list[PlanVersion]:
    return [
        sell("a", base("31.99", timing, is_per_seat=True), calls("1"), proration=proration),
        sell("b", base("100", timing), calls("2"), proration=proration),
        sell("q", base("300.01", timing), calls("3"), interval_count=3, usage_interval_unit="month",
             usage_interval_count=1, proration=proration),
        sell("x", base("17.77", timing, is_per_seat=True, code="extra"), base("5", "once", code="setup"),
             kind="add_on"),
    ]  # fmt: skip


def lived(
    plans: list[PlanVersion], life: list[tuple[int, str, int]], anchor: str, times: list[datetime]
) -> Subscription:
    subscription = start(plans[0], START, quantity=2, billing_anchor=anchor)
    events = [an_event(f"e{n}", timestamp=one.isoformat(), properties={}) for n, one in enumerate(times)]
    report(*events, now=START + 2 * YEAR)
    now = START
    for days, verb, number in life:
        now += timedelta(days=days, hours=number)
        run(now, grace=NO_TIME)
        act(subscription, plans, verb, number, now)
    run(START + 2 * YEAR)
    subscription.refresh_from_db()
    return subscription


@EXAMPLES
@given(
    life=LIVES,
    timing=st.sampled_from(["advance", "arrears"]),
    proration=st.sampled_from(["second", "day"]),
    anchor=st.sampled_from(["calendar", "anniversary"]),
)
def test_whatever_happens_time_is_tiled_and_billed_once(
    in_acme: Tenant, life: list[tuple[int, str, int]], timing: str, proration: str, anchor: str
) -> None:
    with rolled_back():
        make_meter("calls", aggregation="count", unit="call")
        plans = sold(timing, proration)
        times = [START + timedelta(days=day, hours=day) for day in range(0, 400, 9)]
        subscription = lived(plans, life, anchor, times)
        cycles = list(Invoice.objects.filter(kind="cycle").order_by("period_start"))
        # Cycles tile the life.
        assert cycles[0].period_start == START
        assert all(one.period_end == two.period_start for one, two in pairwise(cycles))
        assert cycles[-1].period_end == subscription.invoiced_until
        # Phases tile it too, and every instant has one version.
        phases = list(subscription.phases.order_by("starts_at"))
        assert all(one.ends_at == two.starts_at for one, two in pairwise(phases))
        assert phases[0].starts_at == START
        # Every call until the cursor is priced by one version, or shown as unpriced.
        counted = sum(InvoiceLine.objects.filter(kind="usage").values_list("event_count", flat=True))
        unpriced = sum(row["event_count"] for one in cycles for row in one.unpriced)
        assert counted + unpriced == sum(1 for one in times if one < subscription.invoiced_until)
        # More is never given back than was billed.
        for price_id in set(InvoiceLine.objects.filter(kind="credit").values_list("price_id", flat=True)):
            total = Decimal(0)
            for line in InvoiceLine.objects.filter(price_id=price_id).order_by("invoice_id", "position"):
                total += line.amount
                assert total >= 0
        with nothing_changes_in("acme"):
            run(START + 2 * YEAR)


CHANGES = st.lists(
    st.tuples(st.integers(1, 364 * 24), st.integers(1, 9)),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one[0],
)


@EXAMPLES
@given(changes=CHANGES, timing=st.sampled_from(["advance", "arrears"]))
def test_a_year_costs_what_its_seats_ask_for_their_time(
    in_acme: Tenant, changes: list[tuple[int, int]], timing: str
) -> None:
    """Each part is rounded by itself; neighbours with the same seats are one part."""
    with rolled_back():
        version = sell(
            "a", base("1000", timing, is_per_seat=True), interval_count=12, usage_interval_unit="month",
            usage_interval_count=1,
        )  # fmt: skip
        subscription = start(version, START, quantity=1)
        parts = [(START, 1)]
        for hour, seats in sorted(changes):
            now = START + timedelta(hours=hour)
            run(now)
            if seats != parts[-1][1]:
                change_subscription(subscription=subscription, quantity=seats, when="now", now=now)
                parts.append((now, seats))
        run(START + YEAR)
        edges = [*(begin for begin, _ in parts), START + YEAR]
        expected = sum(
            (
                round_amount(
                    prorate(Decimal(1000 * seats), microseconds(begin, end), microseconds(START, START + YEAR)), "USD"
                )
                for (begin, seats), end in zip(parts, edges[1:], strict=True)
            ),
            Decimal(0),
        )  # fmt: skip
        billed = InvoiceLine.objects.filter(period_start__lt=START + YEAR).values_list("amount", flat=True)
        assert sum(billed, Decimal(0)) == expected
