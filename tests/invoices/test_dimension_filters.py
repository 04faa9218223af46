"""Prices by dimension: every event on exactly one line, or shown as unpriced."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.models import Meter
from apps.catalog.services.plans import NewPrice
from apps.core import clock
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.finalize_invoice import finalize_due_invoices, finalize_invoice
from apps.subscriptions.models import Subscription
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import rolled_back
from tests.harness.factories import an_event, make_meter, make_plan, make_subscription, report
from tests.invoices.ledger import FEBRUARY, MARCH, lines, metered, publish_next, use

NAMES = ("model", "region", "feature")


def at(code: str, unit_amount: str, **filters: list[str]) -> NewPrice:
    return metered("per_unit", code=code, unit_amount=unit_amount, filters=filters)


def subscribed(*prices: NewPrice) -> Subscription:
    if not Meter.objects.exists():
        make_meter("units", unit="unit", dimensions=list(NAMES))
    return make_subscription(plan_version=make_plan("pro", list(prices)))


def usage_lines(invoice: Invoice) -> dict[str, tuple[str | None, str]]:
    return {line[1]: line[2:] for line in lines(invoice)}


def test_the_most_specific_price_takes_it(in_acme: Tenant) -> None:
    """In the plan's order the default stands first, and takes only the rest all the same."""
    subscribed(
        at("rest", "1"),
        at("gpt", "2", model=["gpt-5"]),
        at("gpt-eu-us", "3", model=["gpt-5"], region=["eu", "us"]),
        at("ap", "4", region=["ap"]),
    )
    for number, properties in enumerate(
        [
            {"units": 1, "model": "gpt-5", "region": "eu"},  # gpt-eu-us
            {"units": 2, "model": "gpt-5", "region": "us"},  # gpt-eu-us
            {"units": 4, "model": "gpt-5"},  # gpt
            {
                "units": 8,
                "model": "gpt-5",
                "region": "ap",
            },  # gpt and ap are equally specific: the plan's order
            {"units": 16, "model": "llama", "region": "ap"},  # ap
            {"units": 32, "model": "llama", "region": "eu"},  # rest
            {"units": 64},  # rest
        ]
    ):
        use(f"e{number}", "2026-01-10T00:00:00Z", **properties)
    close_due_periods(FEBRUARY)
    assert usage_lines(Invoice.objects.get()) == {
        "Rest": ("96", "96.00"),  # (32 + 64) × 1
        "Gpt": ("12", "24.00"),  # (4 + 8) × 2
        "Gpt-Eu-Us": ("3", "9.00"),  # (1 + 2) × 3
        "Ap": ("16", "64.00"),  # 16 × 4
    }


def test_tiers_count_what_their_price_takes(in_acme: Tenant) -> None:
    """A filtered price has tiers of its own: 10 × 1 + 5 × 0.5, whatever the others use."""
    tiers = [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}]
    subscribed(metered("graduated", code="gpt", tiers=tiers, filters={"model": ["gpt-5"]}), at("rest", "1"))
    use("a", "2026-01-10T00:00:00Z", units=15, model="gpt-5")
    use("b", "2026-01-10T00:00:00Z", units=1000, model="llama")
    close_due_periods(FEBRUARY)
    assert usage_lines(Invoice.objects.get())["Gpt"] == ("15", "12.50")


def test_without_a_default_the_rest_is_unpriced_shown_and_not_billed(in_acme: Tenant, acme_api: Api) -> None:
    subscription = subscribed(at("gpt", "2", model=["gpt-5"]))
    use("a", "2026-01-10T00:00:00Z", units=1, model="gpt-5")
    use("b", "2026-01-10T00:00:00Z", units=2, model="llama", region="eu")
    use("c", "2026-01-10T00:00:00Z", units=4)
    computed = compute_invoice(subscription=subscription, period=subscription.open_period, as_of=clock.now())
    assert [(dict(row.dimensions), row.quantity) for row in computed.unpriced] == [
        ({"model": "", "region": "", "feature": ""}, 4),
        ({"model": "llama", "region": "eu", "feature": ""}, 2),
    ]
    shown = acme_api.get("/customers/chat/invoices/upcoming").json()
    assert [(row["meter"], row["quantity"]) for row in shown["unpriced"]] == [("units", "4"), ("units", "2")]
    close_due_periods(FEBRUARY)
    invoice = finalize_invoice(invoice=Invoice.objects.get(), now=FEBRUARY)
    assert invoice.total_text == "2.00"
    kept = acme_api.get(f"/invoices/{invoice.public_id}").json()["unpriced"]
    assert kept == shown["unpriced"], "it is not forgotten with its period"


def test_a_meter_that_the_next_version_forgot_is_unpriced(in_acme: Tenant) -> None:
    make_meter("units", unit="unit", dimensions=list(NAMES))
    make_meter("others", dimensions=[])
    both = [at("rest", "1"), metered("per_unit", meter="others", unit_amount="5")]
    subscription = make_subscription(plan_version=make_plan("pro", both))
    use("a", "2026-01-05T00:00:00Z", others=3)
    publish_next(subscription.plan_version, at("rest", "1"), now=datetime(2026, 1, 16, tzinfo=UTC))
    use("b", "2026-01-20T00:00:00Z", others=7)
    computed = compute_invoice(subscription=subscription, period=subscription.open_period, as_of=clock.now())
    assert [(row.meter_code, row.quantity, row.event_count) for row in computed.unpriced] == [
        ("others", 7, 1)
    ]
    assert [(line.price.code, line.quantity) for line in computed.lines] == [
        ("rest", 0), ("others", 3), ("rest", 0),
    ]  # fmt: skip


def test_what_another_subscription_bills_is_not_unpriced_here(in_acme: Tenant) -> None:
    first = subscribed(at("rest", "1"))
    make_meter("others")
    make_meter("nobodys")
    second = make_subscription(
        first.customer, make_plan("more", [metered("per_unit", meter="others", unit_amount="5")])
    )
    use("a", "2026-01-05T00:00:00Z", units=1, others=3, nobodys=4)
    found = [
        [
            row.meter_code
            for row in compute_invoice(subscription=one, period=one.open_period, as_of=clock.now()).unpriced
        ]
        for one in (first, second)
    ]
    assert found == [["nobodys"], []], "what nobody prices is shown once"


def test_a_meter_that_passes_from_one_subscription_to_another_is_unpriced_with_neither(
    in_acme: Tenant,
) -> None:
    """Each bills it for its time; before, or after, it is the other's and not forgotten."""
    first = subscribed(at("rest", "1"))
    make_meter("others")
    sold = metered("per_unit", meter="others", unit_amount="5")
    second = make_subscription(first.customer, make_plan("more", [sold]))
    middle = datetime(2026, 1, 16, tzinfo=UTC)
    publish_next(second.plan_version, NewPrice("fee", "Fee", "flat", flat_amount="1"), now=middle)
    publish_next(first.plan_version, at("rest", "1"), sold, now=middle)
    use("a", "2026-01-05T00:00:00Z", others=3)
    use("b", "2026-01-20T00:00:00Z", others=7)
    for one, billed in ((first, [7]), (second, [3])):
        one.refresh_from_db()
        computed = compute_invoice(subscription=one, period=one.open_period, as_of=clock.now())
        assert computed.unpriced == []
        assert [line.quantity for line in computed.lines if line.price.code == "others"] == billed


def test_late_usage_that_no_price_takes_is_shown_once(in_acme: Tenant) -> None:
    subscribed(at("gpt", "2", model=["gpt-5"]))
    use("a", "2026-01-10T00:00:00Z", units=2, model="llama")
    close_due_periods(FEBRUARY)
    finalize_due_invoices(MARCH)
    use("b", "2026-01-11T00:00:00Z", units=5, model="llama")
    close_due_periods(MARCH)
    finalize_due_invoices(MARCH + timedelta(days=2))
    close_due_periods(MARCH + timedelta(days=40))
    unpriced = [
        [(row["period_start"][:7], row["quantity"], row["event_count"]) for row in invoice.unpriced]
        for invoice in Invoice.objects.order_by("period_start")
    ]
    assert unpriced == [[("2026-01", "2", 1)], [("2026-01", "5", 1)], []]


def test_late_usage_goes_to_the_price_that_takes_it(in_acme: Tenant) -> None:
    subscribed(at("gpt", "2", model=["gpt-5"]), at("rest", "1"))
    use("a", "2026-01-10T00:00:00Z", units=1, model="gpt-5")
    close_due_periods(FEBRUARY)
    finalize_due_invoices(MARCH)
    use("b", "2026-01-10T00:00:00Z", units=3, model="gpt-5")
    use("c", "2026-01-10T00:00:00Z", units=5, model="never seen before")
    close_due_periods(MARCH)
    adjustments = [
        line for line in lines(Invoice.objects.get(period_start=FEBRUARY)) if line[0] == "adjustment"
    ]
    assert adjustments == [
        ("adjustment", "Gpt: late usage", "3", "6.00"),
        ("adjustment", "Rest: late usage", "5", "5.00"),
    ]


def test_other_filters_from_a_new_version_count_from_its_instant(in_acme: Tenant) -> None:
    subscription = subscribed(at("rest", "1"))
    use("a", "2026-01-10T00:00:00Z", units=1, model="gpt-5")
    use("b", "2026-01-20T00:00:00Z", units=2, model="gpt-5")
    use("c", "2026-01-20T00:00:00Z", units=4, model="llama")
    publish_next(
        subscription.plan_version,
        at("rest", "1"),
        at("gpt", "3", model=["gpt-5"]),
        now=FEBRUARY.replace(month=1, day=15),
    )
    close_due_periods(FEBRUARY)
    assert [line[1:] for line in lines(Invoice.objects.get())] == [
        ("Rest", "1", "1.00"), ("Rest", "4", "4.00"), ("Gpt", "2", "6.00"),
    ]  # fmt: skip


# --- The law

VALUES = ["", "a", "b"]
FILTERS = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from(VALUES[1:]), min_size=1, unique=True), max_size=3
)
EVENTS = st.lists(
    st.tuples(
        st.fixed_dictionaries({name: st.sampled_from(VALUES) for name in NAMES}),
        st.decimals(min_value=0, max_value=1000, places=6),
        st.integers(1, 31),
    ),
    max_size=12,
)


def different(filters: list[dict[str, list[str]]]) -> list[dict[str, list[str]]]:
    """Two prices of the same usage are refused."""
    kept: list[dict[str, list[str]]] = []
    for one in filters:
        if {name: set(values) for name, values in one.items()} not in [
            {name: set(values) for name, values in other.items()} for other in kept
        ]:
            kept.append(one)
    return kept


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(FILTERS, min_size=1, max_size=5).map(different), EVENTS, st.integers(2, 31))
def test_every_event_is_counted_by_one_price_or_unpriced(
    in_acme: Tenant, filters: list[dict[str, list[str]]], events: Any, moved_on: int
) -> None:
    """Taken + unpriced = all, in quantity and in number; also when the version changes in the middle."""
    with rolled_back():
        prices = [at(f"p{number}", "1", **one) for number, one in enumerate(filters)]
        subscription = subscribed(*prices)
        sent = [
            an_event(
                f"e{number}",
                timestamp=f"2026-01-{day:02}T00:00:00Z",
                properties={
                    "units": str(units),
                    **{name: value for name, value in dimensions.items() if value},
                },
            )
            for number, (dimensions, units, day) in enumerate(events)
        ]
        assert {verdict.status for verdict in report(*sent)} <= {"accepted"}
        publish_next(
            subscription.plan_version, *reversed(prices), now=FEBRUARY.replace(month=1, day=moved_on)
        )
        computed = compute_invoice(
            subscription=subscription, period=subscription.open_period, as_of=clock.now()
        )
        parts = [*computed.lines, *computed.unpriced]
        assert sum((part.quantity or Decimal(0) for part in parts), Decimal(0)) == sum(
            (units for _, units, _ in events), Decimal(0)
        )
        assert sum(part.event_count or 0 for part in parts) == len(events)
