"""What accrued is what the invoice will say: every model, filters, phases, and any cut through a period."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.analytics import accrual
from apps.analytics.accrual import accrue
from apps.catalog.models import Meter, PlanVersion
from apps.catalog.services.plans import NewPrice
from apps.catalog.services.versions import Existing, duplicate_version, publish_version
from apps.core import clock
from apps.invoices.models import InvoiceLine
from apps.invoices.services.compute import compute_invoice
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.clients import Staff
from tests.harness.factories import (
    an_event,
    flat,
    make_customer,
    make_meter,
    make_plan,
    make_subscription,
    per_unit,
    report,
)

START = datetime(2025, 12, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)
TIERS = [{"up_to": "10", "unit_amount": "3", "flat_amount": "1"}, {"up_to": None, "unit_amount": "1.5"}]
RATES = [{"up_to": "20", "rate": "0.1"}, {"up_to": None, "rate": "0.05", "flat_amount": "2"}]
MODELS: dict[str, NewPrice] = {
    "per_unit": per_unit("tokens", "0.0000025"),
    "per_unit with limits": NewPrice(
        "p", "P", "per_unit", "tokens", unit_amount="0.7",
        more={"quantity_included": "5", "minimum_amount": "4", "maximum_amount": "20", "discount_percent": "10"},
    ),
    "converted": NewPrice(
        "p", "P", "per_unit", "tokens", unit_amount="1", more={"convert": {"divide_by": "7", "rounding": "up"}}
    ),
    "committed": NewPrice(
        "p", "P", "per_unit", "tokens", unit_amount="1",
        more={"commitment": {"amount": "30", "true_up": True, "overage_factor": "2"}},
    ),
    "graduated": NewPrice("p", "P", "graduated", "tokens", more={"tiers": TIERS}),
    "volume": NewPrice("p", "P", "volume", "tokens", more={"tiers": TIERS}),
    "package": NewPrice("p", "P", "package", "tokens", unit_amount="2", more={"package_size": "8"}),
    "percentage": NewPrice("p", "P", "percentage", "tokens", more={"rate": "0.029", "fixed_amount": "0.3"}),
    "free events": NewPrice(
        "p", "P", "percentage", "tokens", more={"rate": "0.029", "fixed_amount": "0.3", "events_included": 2}
    ),
    "free amount": NewPrice(
        "p", "P", "percentage", "tokens",
        more={"rate": "0.029", "fixed_amount": "0.3", "amount_included": "3.1", "convert": {"divide_by": "3"}},
    ),
    "graduated_percentage": NewPrice("p", "P", "graduated_percentage", "tokens", more={"tiers": RATES}),
    "dynamic": NewPrice("p", "P", "dynamic", "tokens", unit_amount_property="price", more={"quantity_included": "3"}),
    "cost_plus": NewPrice("p", "P", "cost_plus", "tokens", more={"multiplier": "1.2"}),
}  # fmt: skip


@pytest.fixture
def tokens(in_sandbox: Tenant) -> None:
    make_meter("tokens", event_name="use", dimensions=["model"])


def use(event_id: str, at: datetime, tokens: str, **properties: object) -> dict[str, object]:
    return an_event(
        event_id, event="use", timestamp=at.isoformat(), properties={"tokens": tokens, **properties}
    )


def some_usage(customer: str = "chat", start: datetime = START) -> None:
    """At odd instants, of two models, some with a price of their own, one with a price that can't be read."""
    hours = (0, 1, 30, 37, 200, 391, 500, 740)
    events = [
        use(
            f"{customer}-{index}",
            start + timedelta(hours=hour, minutes=17 * index, microseconds=index),
            str(Decimal(index * 5 + 1) / 4),
            model="gpt-5" if index % 3 else "other",
            **({"price": f"0.{index}"} if index % 4 else {"price": "free"}),
        )
        | {"customer": customer}
        for index, hour in enumerate(hours)
    ]
    assert {verdict.status for verdict in report(*events)} == {"accepted"}


def billed(subscription: Subscription) -> Decimal:
    """The usage lines of the open period, before rounding."""
    period = subscription.open_period
    computed = compute_invoice(subscription=subscription, period=period, as_of=period.end)
    return sum(
        (line.unrounded_amount for line in computed.lines if line.kind == InvoiceLine.Kind.USAGE), Decimal(0)
    )


def accrued(start: datetime, end: datetime) -> Decimal:
    sums = accrue(starts=[start], end=end).sums(start)
    assert len(sums) <= 1
    return sums[0].amount if sums else Decimal(0)


def assert_equal_to_the_invoice(subscription: Subscription) -> None:
    period = subscription.open_period
    whole = accrued(period.start, period.end)
    assert whole == billed(subscription)
    assert whole > 0
    # However a period is cut, its parts add up to it.
    for cut in (
        timedelta(microseconds=1),
        timedelta(days=1),
        timedelta(hours=30, minutes=51),
        timedelta(days=25),
    ):
        middle = period.start + cut
        both = accrue(starts=[period.start, middle], end=period.end)
        (all_of_it,), after = both.sums(period.start), both.sums(middle)
        assert all_of_it.amount == whole
        assert accrued(period.start, middle) + (after[0].amount if after else 0) == whole


@pytest.mark.parametrize("model", MODELS)
def test_every_model_accrues_what_it_bills(tokens: None, model: str) -> None:
    subscription = make_subscription(
        make_customer(), make_plan(prices=[flat("49"), MODELS[model]]), started_at=START
    )
    some_usage()
    assert_equal_to_the_invoice(subscription)


@pytest.mark.parametrize("aggregation", [str(one) for one in Meter.Aggregation if one != "count"])
def test_every_aggregation_accrues_what_it_bills(in_sandbox: Tenant, aggregation: str) -> None:
    make_meter("tokens", event_name="use", dimensions=["model"], aggregation=aggregation)
    subscription = make_subscription(
        make_customer(), make_plan(prices=[MODELS["graduated"]]), started_at=START
    )
    some_usage()
    assert_equal_to_the_invoice(subscription)


def two_by_filter() -> PlanVersion:
    special = NewPrice(
        "s", "S", "dynamic", "tokens", unit_amount_property="price", filters={"model": ["gpt-5"]}
    )
    return make_plan(prices=[special, MODELS["free events"]])


def only_one_model() -> PlanVersion:
    """The rest is unpriced."""
    return make_plan(
        prices=[NewPrice("s", "S", "volume", "tokens", filters={"model": ["gpt-5"]}, more={"tiers": TIERS})]
    )


@pytest.mark.parametrize("plan", [two_by_filter, only_one_model])
def test_filters_share_usage_as_they_do_on_the_invoice(tokens: None, plan: Callable[[], PlanVersion]) -> None:
    subscription = make_subscription(make_customer(), plan(), started_at=START)
    some_usage()
    assert_equal_to_the_invoice(subscription)


def test_a_change_of_version_in_the_midst_of_a_period(tokens: None) -> None:
    first = make_plan(prices=[MODELS["graduated"]])
    subscription = make_subscription(make_customer(), first, started_at=START)
    second = duplicate_version(version=first)
    second.prices.get().tiers.filter(up_to=None).update(unit_amount=9)
    publish_version(version=second, now=START + timedelta(days=9, minutes=3), existing=Existing.NOW)
    some_usage()
    assert subscription.phases.count() == 2
    assert_equal_to_the_invoice(Subscription.objects.get())


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "Pacific/Chatham"])
@pytest.mark.parametrize("anchor", ["calendar", "anniversary"])
def test_periods_of_other_zones_and_anchors(tokens: None, zone: str, anchor: str) -> None:
    customer = make_customer(time_zone=zone)
    started_at = START + timedelta(days=3, hours=5, minutes=20)
    subscription = make_subscription(
        customer, make_plan(prices=[MODELS["volume"]]), started_at=started_at, billing_anchor=anchor
    )
    some_usage()
    assert_equal_to_the_invoice(subscription)


def test_two_periods_in_one_month_are_added(tokens: None) -> None:
    """From the 15th to the 15th: December holds the end of one period and the beginning of the next."""
    version = make_plan(prices=[MODELS["graduated"]])
    subscription = make_subscription(
        make_customer(), version, started_at=datetime(2025, 11, 15, tzinfo=UTC), billing_anchor="anniversary"
    )
    some_usage()
    schedule = subscription.schedule
    periods = [schedule.full_period_at(datetime(2025, month, 20, tzinfo=UTC)) for month in (11, 12)]
    wanted = sum(accrued(max(one.start, START), min(one.end, END)) for one in periods)
    assert accrued(START, END) == wanted


def test_customers_and_currencies_are_kept_apart(tokens: None) -> None:
    version = make_plan(prices=[MODELS["package"]])
    for name in ("a", "b"):
        make_subscription(make_customer(name), version, started_at=START)
        some_usage(name)
    yen = make_plan("yen", [per_unit("tokens", "1")], currency="JPY")
    make_subscription(make_customer("c", currency="JPY"), yen, started_at=START)
    some_usage("c")
    found = accrue(starts=[START], end=END)
    wanted = {
        (one.customer_id, one.plan_version.currency): billed(one)
        for one in Subscription.objects.select_related("plan_version")
    }
    assert found.amounts[START] == wanted
    assert sum(money.amount for money in found.sums(START)) == sum(wanted.values())


def test_who_has_ended_accrues_nothing(tokens: None) -> None:
    make_subscription(make_customer(), make_plan(prices=[MODELS["package"]]), started_at=START)
    some_usage()
    Subscription.objects.update(status="ended")
    assert accrued(START, END) == 0


def test_the_number_of_statements_is_fixed(tokens: None) -> None:
    every = [
        price
        for name, price in MODELS.items()
        if name in ("graduated", "dynamic", "free events", "free amount")
    ]
    versions = [make_plan(f"plan-{index}", [price]) for index, price in enumerate(every)]
    for index in range(4):
        make_subscription(make_customer(f"c{index}"), versions[index], started_at=START)
        some_usage(f"c{index}")

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            accrue(starts=[START, START + timedelta(days=20)], end=END)
        return len(captured)

    before = statements()
    for index in range(4, 16):
        make_subscription(make_customer(f"c{index}"), versions[index % 4], started_at=START)
        some_usage(f"c{index}")
    assert statements() == before
    assert before <= 12


def test_only_so_many_subscriptions_are_rated(
    tokens: None, sandra: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accrual, "RATED_AT_MOST", 2)
    version = make_plan(prices=[MODELS["package"]])
    start = clock.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for index in range(3):
        make_subscription(make_customer(f"c{index}"), version, started_at=start)
        report(use(f"e{index}", start, "8") | {"customer": f"c{index}"})
    found = accrue(starts=[start], end=clock.now() + timedelta(days=1))
    assert (found.is_partial, found.subscriptions) == (True, 3)
    assert [str(money) for money in found.sums(start)] == ["$4.00"]
    content = sandra.get("/admin/").content.decode()
    assert "of 3 active subscriptions" in content
    assert "≥" in content
