"""Many at once are what each would be alone, and cost a number of statements that does not grow with them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import PlanVersion
from apps.invoices.models import BillingSettings, Invoice
from apps.invoices.services import close_periods
from apps.invoices.services.close_periods import close_due_periods, close_period, open_due_subscriptions
from apps.invoices.services.compute import compute_invoice, compute_invoices
from apps.invoices.services.cycles import Asked
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.add_ons import attach_add_on, detach_add_on
from apps.tenants.models import Tenant
from tests.harness.evidence import rolled_back
from tests.harness.factories import an_event, make_customer, make_meter, make_plan, make_subscription, report
from tests.invoices.ledger import FEBRUARY, JANUARY, fee, metered, publish_next
from tests.scenarios.lifecycle.test_laws import LIVES, START, YEAR, act, sold
from tests.scenarios.lifecycle.words import base, run, sell

APRIL = datetime(2026, 4, 1, tzinfo=UTC)
LIFE = st.tuples(LIVES, st.sampled_from(["calendar", "anniversary"]))
EXAMPLES = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


def make_many(count: int) -> None:
    """Every kind of price that reads usage in a way of its own, fees at both ends, and usage no price takes."""
    for code, more in (
        ("units", {"dimensions": ["model"]}),
        ("users", {"aggregation": "unique_count", "dimensions": ["model"]}),
        ("peak", {"aggregation": "max", "dimensions": ["model"]}),
        ("spent", {}),
        ("paid", {}),
        ("forgotten", {}),
    ):
        make_meter(code, **more)
    version = make_plan(
        "all",
        [
            fee("31", "advance"),
            fee("7", "arrears"),
            metered("per_unit", unit_amount="2", filters={"model": ["m1"]}, code="first"),
            metered("per_unit", unit_amount="3", code="rest"),
            metered("per_unit", meter="users", unit_amount="5"),
            metered("per_unit", meter="peak", unit_amount="1"),
            metered("dynamic", meter="spent", unit_amount_property="price"),
            metered("percentage", meter="paid", rate="0.1", events_included=2),
        ],
    )
    add_ons = [
        sell(
            code, fee("31", "advance"), base("5", "once", code="setup"), base("7", code="end"), kind="add_on"
        )
        for code in ("extra", "more")
    ]
    for number in range(count):
        customer = make_customer(f"c{number}")
        one = make_subscription(customer, version, started_at=JANUARY + timedelta(hours=1 + number % 3))
        attach_some(one, add_ons, number)
    report(*(an_event(**one) for number in range(count) for one in events_of(number)), now=FEBRUARY)
    publish_next(
        version, fee("62", "advance"), metered("per_unit", unit_amount="4"), now=JANUARY.replace(day=20)
    )


def attach_some(subscription: Subscription, add_ons: list[PlanVersion], number: int) -> None:
    """All kinds of fees: one from the start, the other later, and one that is detached within the month."""
    start = subscription.started_at
    for days, version in ((0, add_ons[0]), (3 + number % 5, add_ons[1])):
        attach_add_on(
            subscription=subscription,
            plan_version=version,
            when="date",
            at=start + timedelta(days=days),
            now=start,
        )
    if number % 2:
        detach_add_on(
            subscription=subscription,
            plan=add_ons[0].plan,
            when="date",
            at=start + timedelta(days=9),
            now=start,
        )


def events_of(number: int) -> list[dict[str, Any]]:
    return [
        {
            "event_id": f"{number}-{index}",
            "customer": f"c{number}",
            "timestamp": (JANUARY + timedelta(days=3 * index, hours=5)).isoformat(),
            "properties": {
                "units": index + number, "users": f"u{index % 4}", "peak": index, "spent": 1, "paid": 100,
                "forgotten": 1, "model": f"m{index % 3}", **({"price": "0.5"} if index % 2 else {}),
            },
        }
        for index in range(9)
    ]  # fmt: skip


def documents() -> list[tuple[Any, ...]]:
    """Every invoice with its lines, without ids."""
    return sorted(
        (
            one.kind, one.customer.external_id, one.status, one.currency, one.period_start, one.period_end, one.total,
            str(one.unpriced), one.usage_cutoff_at, one.finalize_due_at,
            tuple(
                (line.position, line.kind, line.price_id, line.description, line.period_start, line.period_end,
                 line.quantity, line.unit, line.unit_amount, line.event_count, line.unrounded_amount, line.amount,
                 str(line.steps))
                for line in one.lines.all()
            ),
        )
        for one in Invoice.objects.select_related("customer").prefetch_related("lines")
    )  # fmt: skip


def test_a_batch_is_what_each_would_be_alone(in_acme: Tenant) -> None:
    make_many(7)
    with rolled_back():
        open_due_subscriptions(JANUARY + timedelta(hours=4))
        close_due_periods(APRIL)
        together = documents()
        raise_if_empty(together)
    for subscription in Subscription.objects.order_by("-id"):
        while close_period(subscription_id=subscription.pk, now=APRIL):
            pass
    alone = documents()
    # Cutoff and grace follow from the instant of the run: openings were billed earlier above.
    assert [one[:8] + one[10:] for one in alone] == [one[:8] + one[10:] for one in together]


def raise_if_empty(found: list[Any]) -> None:
    assert len(found) == 4 * 7


def test_of_the_same_opening_period_and_late_usage(in_acme: Tenant) -> None:
    """With finalized invoices behind them, and late usage of these: one for all is what each is alone."""
    make_many(5)
    BillingSettings.objects.update(draft_grace_hours=0)
    open_due_subscriptions(FEBRUARY)
    close_due_periods(FEBRUARY + timedelta(hours=4))
    finalize_due_invoices(FEBRUARY + timedelta(hours=4))
    late = [one | {"event_id": f"late-{one['event_id']}"} for number in range(5) for one in events_of(number)]
    report(*(an_event(**one) for one in late), now=FEBRUARY + timedelta(days=1))
    subscriptions = list(Subscription.objects.order_by("id"))
    asked = [Asked(one, one.open_period) for one in subscriptions]
    together = compute_invoices(asked, as_of=APRIL)
    alone = [compute_invoice(subscription=one, period=one.open_period, as_of=APRIL) for one in subscriptions]
    assert together == alone
    assert all(any(line.kind == "adjustment" for line in one.lines) for one in together)
    assert all(one.unpriced for one in together)


@EXAMPLES
@given(lives=st.lists(LIFE, min_size=2, max_size=4), timing=st.sampled_from(["advance", "arrears"]))
def test_whatever_their_lives_together_they_are_as_alone(
    in_acme: Tenant, lives: list[tuple[list[tuple[int, str, int]], str]], timing: str
) -> None:
    with rolled_back():
        make_meter("calls", aggregation="count", unit="call")
        plans = sold(timing)
        subscriptions = []
        for number, (life, anchor) in enumerate(lives):
            one = make_subscription(
                make_customer(f"c{number}"), plans[0], started_at=START, billing_anchor=anchor
            )
            times = [START + timedelta(days=day, hours=day) for day in range(number, 400, 9)]
            report(
                *(
                    an_event(f"{number}-{n}", customer=f"c{number}", timestamp=at.isoformat(), properties={})
                    for n, at in enumerate(times)
                ),
                now=START + 2 * YEAR,
            )
            now = START
            for days, verb, amount in life:
                now += timedelta(days=days, hours=amount)
                run(now)
                act(one, plans, verb, amount, now)
            subscriptions.append(Subscription.objects.get(pk=one.pk))
        active = [one for one in subscriptions if one.status == "active"]
        asked = [Asked(one, one.open_period) for one in active]
        asked += [
            Asked(one.subscription, one.period, one.kind) for one in Invoice.objects.filter(status="draft")
        ]
        as_of = START + 2 * YEAR
        alone = [
            compute_invoice(subscription=one.subscription, period=one.period, as_of=as_of, kind=one.kind)
            for one in asked
        ]
        assert compute_invoices(asked, as_of=as_of) == alone


@pytest.mark.parametrize("job", ["opening", "closing"])
def test_a_batch_costs_the_same_whatever_its_size(in_acme: Tenant, job: str) -> None:
    make_many(50)
    counts = []
    for size in (1, 10, 50):
        with rolled_back():
            kept = [one.pk for one in Subscription.objects.order_by("id")[:size]]
            Subscription.objects.exclude(pk__in=kept).update(status="ended")
            if job == "closing":
                open_due_subscriptions(FEBRUARY)
            with CaptureQueriesContext(connection) as captured:
                if job == "closing":
                    assert close_due_periods(FEBRUARY + timedelta(hours=4)) == size
                else:
                    assert open_due_subscriptions(FEBRUARY) == size
            counts.append(len(captured))
    assert counts == [counts[0]] * 3
    # With the run's own record, and a second claim that finds nobody.
    assert counts[0] <= 50


def test_batches_follow_one_another(in_acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    make_many(7)
    whole = {}
    for size in (3, 200):
        with rolled_back():
            monkeypatch.setattr(close_periods, "BATCH", size)
            open_due_subscriptions(FEBRUARY)
            close_due_periods(APRIL)
            whole[size] = documents()
    assert whole[3] == whole[200]
