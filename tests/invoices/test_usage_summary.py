"""What was used in the current period, what is due so far, and where it is heading."""

import pytest

from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.scenarios.life import Life
from tests.scenarios.test_every_aggregation import sell, set_level


@pytest.fixture
def life(in_sandbox: Tenant, sandbox_api: Api) -> Life:
    return Life(sandbox_api)


def test_quantities_amounts_and_a_linear_projection(life: Life) -> None:
    sell(life)
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    life.advance("2026-01-11T00:00:00Z")
    set_level(life, "2026-01-06T00:00:00Z", 4, "eu")
    set_level(life, "2026-01-08T00:00:00Z", 6, "eu")
    found = life.see("/customers/chat/usage/summary")
    [subscription] = found["subscriptions"]
    level_hours = (4 * 2 + 6 * 3) * 24
    so_far = {"sum": 10, "count": 2, "max": 6, "min": 4, "latest": 6, "unique_count": 2}
    so_far["time_weighted_sum"] = level_hours
    assert {one["meter"]: one["quantity"] for one in subscription["meters"]} == {
        name: str(quantity) for name, quantity in so_far.items()
    }
    assert found["amount_due"] == subscription["amount_due"] == f"{sum(so_far.values())}.00"
    assert found["currency"] == "USD"
    # Ten of 31 days have passed.
    growing = {
        "sum": "31",
        "count": "6.2",
        "time_weighted_sum": str(level_hours * 31 / 10).removesuffix(".0"),
    }
    projected = {one["meter"]: one["projected_quantity"] for one in subscription["meters"]}
    assert projected == {**{name: str(quantity) for name, quantity in so_far.items()}, **growing}
    assert found["projected_amount"] == "1989.60"


def test_nothing_is_projected_from_nothing(life: Life) -> None:
    sell(life)
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    found = life.see("/customers/chat/usage/summary")
    assert (found["amount_due"], found["projected_amount"]) == ("0.00", None)


def test_a_customer_without_a_plan(life: Life) -> None:
    life.do("/customers", {"external_id": "chat", "name": "Chat", "currency": "EUR"})
    found = life.see("/customers/chat/usage/summary")
    assert (found["currency"], found["amount_due"], found["subscriptions"]) == ("EUR", "0.00", [])
