"""The home page's numbers, recomputed by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from apps.analytics import selectors
from apps.analytics.accrual import accrue
from apps.core import clock
from apps.tenants.models import Tenant
from tests.admin.business import Business
from tests.admin.test_pages import page
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

DAY = selectors.DAY


def accrued_between(start: datetime, end: datetime) -> list[str]:
    return [str(money.amount) for money in accrue(starts=[start], end=end).sums(start)]


def test_the_numbers_of_a_business(olga: Staff, business: Business) -> None:
    context = olga.get("/admin/").context
    # One call this month: 1,000,000 × 0.0000025 + 100,000 × 0.00001. The fee of 49.00 accrues to no day.
    assert [str(money) for money in context["accrued_month"]] == ["$3.50"]
    assert [str(money) for money in context["accrued_today"]] == ["$3.50"]
    assert context["events_today"] == "1"
    assert (context["sums"]["draft"].count, str(context["sums"]["draft"].sums[0])) == (1, "$52.50")
    assert (context["sums"]["open"].count, str(context["sums"]["open"].sums[0])) == (1, "$52.50")
    assert context["quarantine"]["count"] == "3"
    assert [(one["customer"].external_id, str(one["cost"])) for one in context["top_customers"]] == [
        ("chat", "$3.50")
    ]
    assert [chart.title for chart in context["charts"]] == ["Input tokens", "Output tokens"]
    assert [chart.total for chart in context["charts"]] == ["1,000,000", "100,000"]


def test_an_empty_tenant_is_taught(olga: Staff) -> None:
    content = olga.get("/admin/").content.decode()
    for words in ("Create a meter", "Subscribe the customer", "curl http://acme.localhost/api/v1/events"):
        assert words in content
    assert "Usage by meter" not in content


def test_the_lesson_ticks_off_what_is_there(olga: Staff, in_acme: Tenant) -> None:
    make_meter()
    steps = olga.get("/admin/").context["steps"]
    assert (steps.has_meter, steps.has_plan, steps.has_customer, steps.has_events) == (
        True,
        False,
        False,
        False,
    )
    assert page("catalog.meter", "add") not in olga.get("/admin/").content.decode()


def test_days_end_where_the_next_begins(in_sandbox: Tenant) -> None:
    """Usage counts on the day of its own time, and only from the subscription's start on, to the microsecond."""
    make_meter("calls", event_name="call", aggregation="count")
    version = make_plan(prices=[per_unit("calls", "0.01"), flat("10")])
    start = datetime(2025, 12, 30, 22, 30, tzinfo=UTC)
    make_subscription(make_customer(), version, started_at=start)
    make_customer("not-subscribed")
    second = timedelta(microseconds=1)
    times = [start - second, start, start + timedelta(minutes=29), datetime(2025, 12, 30, 23, 15, tzinfo=UTC),
             datetime(2025, 12, 31, tzinfo=UTC) - second, datetime(2025, 12, 31, tzinfo=UTC)]  # fmt: skip
    report(*(an_event(f"e{index}", event="call", timestamp=at.isoformat()) for index, at in enumerate(times)))
    report(an_event("other", event="call", customer="not-subscribed", timestamp=start.isoformat()))
    thirtieth, first = datetime(2025, 12, 30, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert accrued_between(thirtieth, thirtieth + DAY) == ["0.04"]
    assert accrued_between(thirtieth + DAY, first) == ["0.01"]
    assert accrued_between(thirtieth - DAY, first) == ["0.05"]
    (top,) = selectors.top_customers(accrue(starts=[thirtieth], end=first), thirtieth)
    assert (top.customer.external_id, top.cost.amount) == ("chat", Decimal("0.05"))
    assert accrued_between(first, first + DAY) == []


def test_currencies_are_kept_apart(in_sandbox: Tenant) -> None:
    make_meter("calls", event_name="call", aggregation="count")
    for currency in ("USD", "JPY"):
        version = make_plan(currency.lower(), [per_unit("calls", "2")], currency=currency)
        make_subscription(make_customer(currency, currency=currency), version, started_at=clock.now() - DAY)
        report(
            *(an_event(f"{currency}{n}", event="call", customer=currency, timestamp=None) for n in range(2))
        )
    today = selectors.day_of(clock.now())
    sums = accrue(starts=[today], end=today + DAY).sums(today)
    assert [str(money) for money in sums] == ["¥4", "$4.00"]


def test_events_are_counted_up_to_a_bound(business: Business) -> None:
    now = clock.now()
    assert selectors.events_between(now - 400 * DAY, now + DAY) == 3
