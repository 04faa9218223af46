"""Two months of every aggregation, with an event of January that comes in February."""

from typing import Any

import pytest

from apps.catalog.models import Meter
from apps.invoices.services.compute import compute_invoice
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.scenarios.life import Life

AGGREGATIONS = [str(one) for one in Meter.Aggregation]
HOURS_A_DAY = 24


def sell(life: Life) -> None:
    """One unit of each meter costs 1."""
    for one in AGGREGATIONS:
        meter = {
            "code": one, "name": one, "event_name": "level", "aggregation": one, "unit": "unit",
            "dimensions": ["region"],
        }  # fmt: skip
        life.do("/meters", meter if one == "count" else {**meter, "value_property": "level"})
    prices = [
        {"code": one, "name": one, "model": "per_unit", "meter": one, "unit_amount": "1"}
        for one in AGGREGATIONS
    ]
    life.do("/plans", {"code": "payg", "name": "Levels", "currency": "USD", "prices": prices})
    life.do("/plans/payg/versions/1/publish", status=200)


def set_level(life: Life, at: str, level: int, region: str) -> None:
    event = {
        "id": f"level-{next(life.numbers)}", "event": "level", "customer": "chat", "timestamp": at,
        "properties": {"level": level, "region": region},
    }  # fmt: skip
    assert life.api.report(event)["accepted"] == 1


def quantities(invoice: dict[str, Any], kind: str) -> dict[str, str]:
    """By meter; an amount is the quantity, for a unit costs 1."""
    found = [line for line in invoice["lines"] if line["kind"] == kind]
    assert all(line["amount"] == f"{line['quantity']}.00" for line in found)
    return {line["description"].split(":")[0]: line["quantity"] for line in found}


JANUARY = {"sum": "10", "count": "2", "max": "6", "min": "4", "latest": "6", "unique_count": "2"}
FEBRUARY = dict.fromkeys(JANUARY, "1")
# A level of 10 or 0 from January 25 on, and what it changes about January.
LATE = {
    10: {"sum": "10", "count": "1", "max": "4", "latest": "4", "unique_count": "1"},
    0: {"count": "1", "min": "-4", "latest": "-6", "unique_count": "1"},
}


@pytest.mark.parametrize("late", LATE)
def test_late_usage_is_billed_with_the_next_month(life: Life, in_sandbox: Tenant, late: int) -> None:
    sell(life)
    life.sign_up("chat", "2026-01-01T00:00:00Z")
    life.advance("2026-01-21T00:00:00Z")
    set_level(life, "2026-01-10T00:00:00Z", 4, "eu")
    set_level(life, "2026-01-20T00:00:00Z", 6, "us")
    [shown] = [line for line in life.upcoming("chat")["lines"] if line["meter"] == "time_weighted_sum"]
    assert shown["quantity"] == str((4 * 11 + 6 * 1) * HOURS_A_DAY)

    life.advance("2026-02-05T00:00:00Z")
    [january] = life.invoices("chat")
    level_hours = (4 * 22 + 6 * 12) * HOURS_A_DAY
    assert quantities(january, "usage") == {**JANUARY, "time_weighted_sum": str(level_hours)}

    set_level(life, "2026-01-25T00:00:00Z", late, "eu")
    life.advance("2026-02-12T00:00:00Z")
    set_level(life, "2026-02-11T00:00:00Z", 1, "eu")
    life.advance("2026-03-05T00:00:00Z")
    _, february = life.invoices("chat")
    level_hours = (late * 10 + 1 * 18 + 6 * 28) * HOURS_A_DAY
    assert quantities(february, "usage") == {**FEBRUARY, "time_weighted_sum": str(level_hours)}
    late_hours = (late - 4) * 7 * HOURS_A_DAY
    assert quantities(february, "adjustment") == {**LATE[late], "time_weighted_sum": str(late_hours)}

    subscription = Subscription.objects.get()
    computed = compute_invoice(
        subscription=subscription, period=subscription.open_period, as_of=subscription.open_period.start
    )
    assert not [line for line in computed.lines if line.quantity], "what is billed is billed"
