"""A price that takes several dimension sets bills what they measure together."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.services.plans import NewPrice
from apps.core.errors import Invalid
from apps.invoices.services.compute import compute_invoice
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.factories import an_event, make_customer, make_meter, make_plan, make_subscription, report

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
# Day of January, value, region; the first price takes eu and us, the other one the rest.
USED = [(10, 5, "eu"), (12, 7, "us"), (14, 5, "us"), (16, 9, "ap"), (18, 2, "eu"), (20, 9, "cn")]
TOGETHER = {"max": (7, 9), "min": (2, 9), "latest": (2, 9), "unique_count": (3, 1), "sum": (19, 18)}


def subscribed(aggregation: str) -> Subscription:
    make_meter("levels", aggregation=aggregation, value_property="level", dimensions=["region"])
    prices = [
        NewPrice("near", "Near", "per_unit", "levels", "1", filters={"region": ["eu", "us"]}),
        NewPrice("far", "Far", "per_unit", "levels", "1"),
    ]
    subscription = make_subscription(make_customer("chat"), make_plan(prices=prices))
    events = [
        an_event(
            f"e{day}",
            timestamp=f"2026-01-{day}T00:00:00Z",
            properties={"level": level, "region": region},
        )
        for day, level, region in USED
    ]
    assert {verdict.status for verdict in report(*events, now=FEBRUARY)} == {"accepted"}
    return subscription


def lines_of(subscription: Subscription) -> list[tuple[str, Decimal | None, int | None]]:
    computed = compute_invoice(subscription=subscription, period=subscription.open_period, as_of=FEBRUARY)
    assert not computed.unpriced
    return [(line.price.code, line.quantity, line.event_count) for line in computed.lines]


@pytest.mark.parametrize("aggregation", TOGETHER)
def test_a_group_has_one_quantity(in_sandbox: Tenant, aggregation: str) -> None:
    near, far = TOGETHER[aggregation]
    assert lines_of(subscribed(aggregation)) == [("near", near, 4), ("far", far, 2)]


def test_levels_of_a_group_are_added_up(in_sandbox: Tenant) -> None:
    eu, us = 5 * 8 + 2 * 14, 7 * 2 + 5 * 18
    far = 9 * 16 + 9 * 12
    assert lines_of(subscribed("time_weighted_sum")) == [
        ("near", (eu + us) * 24, 4),
        ("far", far * 24, 2),
    ]


@pytest.mark.parametrize(("aggregation", "count"), [("sum", 15), ("max", 17)])
def test_groups_cost_two_questions_more(in_sandbox: Tenant, aggregation: str, count: int) -> None:
    subscription = subscribed(aggregation)
    with CaptureQueriesContext(connection) as queries:
        lines_of(subscription)
    assert len(queries) == count


@pytest.mark.parametrize(
    "price",
    [
        {"model": "dynamic", "unit_amount_property": "price"},
        {"model": "percentage", "more": {"rate": "0.1", "events_included": 2}},
        {"model": "percentage", "more": {"rate": "0.1", "amount_included": "2"}},
    ],
)
def test_prices_that_read_events_need_a_meter_that_adds_them_up(
    in_sandbox: Tenant, price: dict[str, Any]
) -> None:
    make_meter("levels", aggregation="max", value_property="level")
    with pytest.raises(Invalid, match="one by one") as refused:
        make_plan(prices=[NewPrice("p", "P", meter="levels", **price)])
    assert refused.value.param == "/prices/0/meter"
