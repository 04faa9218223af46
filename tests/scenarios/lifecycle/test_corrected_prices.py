"""An event that was billed is replaced by one of the same quantity that costs something else: no total tells."""

from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum

from apps.catalog.services.plans import NewPrice
from apps.invoices.models import Invoice
from apps.invoices.services.bill_late_after_end import bill_late_after_end
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.subscribe import subscribe
from apps.tenants.models import Tenant
from apps.usage.services.corrections.void_event import void_event
from tests.harness.factories import make_meter
from tests.invoices.ledger import metered
from tests.scenarios.lifecycle.families import family, join, named, shares, use
from tests.scenarios.lifecycle.words import at, fresh, lines, run, sell

JANUARY, FEBRUARY, MARCH = at("2026-01-01"), at("2026-02-01"), at("2026-03-01")


@pytest.fixture
def units(in_acme: Tenant) -> None:
    make_meter("units", unit="unit")
    family("red")


def on(price: NewPrice) -> Subscription:
    return subscribe(customer=named("org"), plan_version=sell("a", price), started_at=JANUARY, now=JANUARY)


def dynamic() -> NewPrice:
    return metered("dynamic", unit_amount_property="price")


def charged() -> Decimal:
    total = Invoice.objects.exclude(status="void").aggregate(total=Sum("total"))["total"]
    assert isinstance(total, Decimal)
    return total


def replace(event_id: str, customer: str = "org", **properties: Any) -> None:
    void_event(event_id=event_id, reason="It was wrong", now=at("2026-02-05"))
    use(customer, "2026-01-10", f"{event_id}, anew", **properties)


def test_the_next_invoice_gives_back_what_another_unit_price_costs_less(units: None) -> None:
    on(dynamic())
    use("org", "2026-01-10", "e", units=2, price="9")
    run(FEBRUARY)
    replace("e", units=2, price="1")
    run(MARCH)
    assert lines() == [("usage", "Units", "0.00"), ("adjustment", "Units: late usage", "-16.00")]
    run(at("2026-04-01"))
    assert charged() == 2


def test_after_the_end_it_waits_like_late_usage(units: None) -> None:
    subscription = on(dynamic())
    cancel(subscription=subscription, when="date", at=FEBRUARY, unused="nothing", now=JANUARY)
    use("org", "2026-01-10", "e", units=2, price="9")
    run(FEBRUARY)
    replace("e", units=2, price="10")
    bill_late_after_end(subscription=fresh(subscription), reason="It costs more", now=at("2026-02-06"))
    run(at("2026-02-08"))
    assert charged() == 20


def test_another_event_becomes_free(units: None) -> None:
    """10 % with the first event free: of 100 and then 500 the latter costs; of 500 and then 100 so it does."""
    on(metered("percentage", rate="0.1", events_included=1))
    use("org", "2026-01-10", "first", units=100)
    use("org", "2026-01-11", "second", units=500)
    run(FEBRUARY)
    assert charged() == 50
    void_event(event_id="second", reason="It was wrong", now=at("2026-02-05"))
    replace("first", units=500)
    use("org", "2026-01-11", "second, anew", units=100)
    run(MARCH)
    assert charged() == 10


def test_a_team_has_its_own_back(units: None) -> None:
    on(dynamic())
    join("red", "2026-01-01")
    use("org", "2026-01-10", "mine", units=1, price="4")
    use("red", "2026-01-10", "e", units=2, price="9")
    run(FEBRUARY)
    replace("e", "red", units=2, price="1")
    run(MARCH)
    assert shares(kind="adjustment") == [[("red", "0", "-16.00")]]


def test_what_costs_the_same_is_worth_no_line(units: None) -> None:
    on(dynamic())
    use("org", "2026-01-10", "e", units=2, price="9")
    run(FEBRUARY)
    replace("e", units=2, price="9.00")
    run(MARCH)
    assert lines() == [("usage", "Units", "0.00")]
