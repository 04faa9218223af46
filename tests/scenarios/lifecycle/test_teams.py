"""An organization pays for its teams: usage is priced together, and every line says who used what of it."""

from datetime import timedelta

import pytest

from apps.catalog.models import PlanVersion
from apps.core.errors import Refused
from apps.customers.services.customers import update_customer
from apps.invoices.models import Invoice, TeamShare
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.compute import compute_invoice
from apps.invoices.services.finalize_invoice import finalize_due_invoices
from apps.invoices.services.void_invoice import reissue_invoice
from apps.subscriptions.models import Subscription
from apps.subscriptions.services import team_billing
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.family import lock_family
from apps.subscriptions.services.pause import pause
from apps.subscriptions.services.subscribe import subscribe
from apps.subscriptions.services.team_billing import bill_team_to_parent, stop_billing_team_to_parent
from apps.tenants.models import Tenant
from apps.usage.services.corrections.void_event import void_event
from tests.harness.factories import make_customer, make_meter
from tests.invoices.ledger import metered
from tests.scenarios.lifecycle.families import TIERS, family, join, leave, named, shares, totals, use
from tests.scenarios.lifecycle.words import at, base, fresh, lines, run, sell


@pytest.fixture
def units(in_acme: Tenant) -> None:
    make_meter("units", unit="unit")


def on(customer: str, version: PlanVersion, started: str = "2026-01-01") -> Subscription:
    started_at = at(started)
    return subscribe(customer=named(customer), plan_version=version, started_at=started_at, now=started_at)


def graduated() -> PlanVersion:
    """1.00 a unit up to 100, 0.50 beyond."""
    return sell("tiers", base("10"), metered("graduated", tiers=TIERS))


def test_tiers_are_pooled_over_three_teams(units: None) -> None:
    """Alone each would pay 1.00 a unit; 70 + 60 + 50 + 20 = 200 units together cost 100 × 1.00 + 100 × 0.50 = 150.00.

    A unit costs 0.75 on average: 15.00, 52.50, 45.00 and 37.50.
    """
    family("red", "green", "blue")
    on("org", graduated())
    for team in ("red", "green", "blue"):
        join(team, "2026-01-01")
    for who, amount in (("org", 20), ("red", 70), ("green", 60), ("blue", 50)):
        use(who, "2026-01-10", units=amount)
    run(at("2026-02-01"))
    assert sorted(lines()) == [("flat", "Base", "10.00"), ("usage", "Units", "150.00")]
    assert totals() == [("200", "150.00")]
    assert shares() == [
        [("org", "20", "15.00"), ("red", "70", "52.50"), ("green", "60", "45.00"), ("blue", "50", "37.50")]
    ]
    assert Invoice.objects.get().customer.external_id == "org"


def test_cents_that_are_left_go_to_the_largest_remainders(units: None) -> None:
    """1.00 by 1 : 1 : 1 is 33.3… cents each, and a cent is left for the first of them."""
    family("red", "green", "blue")
    on("org", sell("a", metered("per_unit", unit_amount="0.333")))
    for team in ("red", "green", "blue"):
        join(team, "2026-01-01")
        use(team, "2026-01-10", units=1)
    run(at("2026-02-01"))
    # 3 × 0.333 = 0.999, rounded to 1.00.
    assert totals() == [("3", "1.00")]
    assert shares() == [[("red", "1", "0.34"), ("green", "1", "0.33"), ("blue", "1", "0.33")]]


def test_a_team_joins_and_leaves_within_a_period(units: None) -> None:
    """Of red counts what it used from the 10th to the 20th, half-open: 2 + 4. The rest is not billed here."""
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-01-10")
    leave("red", "2026-01-20")
    use("org", "2026-01-05", units=100)
    use("red", "2026-01-09 23:59", units=1)
    use("red", "2026-01-10", units=2)
    use("red", "2026-01-19 23:59", units=4)
    use("red", "2026-01-20", units=8)
    run(at("2026-02-01"))
    assert totals() == [("106", "106.00")]
    assert shares() == [[("org", "100", "100.00"), ("red", "6", "6.00")]]


def test_a_team_comes_back_in_the_same_period(units: None) -> None:
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-01-05")
    leave("red", "2026-01-10")
    join("red", "2026-01-20")
    for day, amount in ((4, 1), (6, 2), (15, 4), (25, 8)):
        use("red", f"2026-01-{day:02}", units=amount)
    run(at("2026-02-01"))
    assert totals() == [("10", "10.00")]
    assert shares() == [[("red", "10", "10.00")]]


def test_late_events_before_and_after_finalizing(units: None) -> None:
    """A draft takes them; what comes after it was issued is an adjustment, of the team that used it.

    January: 90 + 20 = 110 units, 100.00 + 5.00 = 105.00: 85.91 and 19.09 of it (105 × 90/110 = 85.909…).
    20 units more of red: 130 units, 115.00, so 10.00 more. Of 115.00 org has 90/130 = 79.62 and red 40/130 = 35.38:
    org gets 6.29 back and red has 16.29 more.
    """
    family("red")
    on("org", graduated())
    join("red", "2026-01-01")
    use("org", "2026-01-10", units=90)
    use("red", "2026-01-10", units=10)
    close_due_periods(at("2026-02-01"))
    assert shares() == [[("org", "90", "90.00"), ("red", "10", "10.00")]]
    use("red", "2026-01-11", units=10)
    finalize_due_invoices(at("2026-02-02"))
    assert shares() == [[("org", "90", "85.91"), ("red", "20", "19.09")]]
    use("red", "2026-01-12", units=20)
    run(at("2026-03-01"))
    assert totals("adjustment") == [("20", "10.00")]
    assert shares(kind="adjustment") == [[("org", "0", "-6.29"), ("red", "20", "16.29")]]
    # And never again.
    run(at("2026-04-01"))
    assert totals("adjustment") == []


def test_late_events_of_a_team_that_has_left(units: None) -> None:
    """It left on 1 February; an event of January is still the organization's, one of February is not."""
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-01-01")
    run(at("2026-02-01"))
    leave("red", "2026-02-01", now=at("2026-02-03"))
    use("red", "2026-01-20", units=3)
    use("red", "2026-02-20", units=5)
    run(at("2026-03-01"))
    assert totals() == [("0", "0.00")]
    assert shares() == [[]]
    assert shares(kind="adjustment") == [[("red", "3", "3.00")]]


@pytest.mark.parametrize(
    ("aggregation", "quantity", "parts"),
    [
        # The largest of 5, 9 and 7 is 9; each has its own, and 9.00 is shared by 5 : 9.
        ("max", "9", [("org", "5", "3.21"), ("red", "9", "5.79")]),
        ("min", "5", [("org", "5", "2.08"), ("red", "7", "2.92")]),
        # Red's 7 came last of all.
        ("latest", "7", [("org", "5", "2.92"), ("red", "7", "4.08")]),
        # 5, 9 and 7 are three different values; of org one, of red two.
        ("unique_count", "3", [("org", "1", "1.00"), ("red", "2", "2.00")]),
    ],
)
def test_aggregations_that_do_not_add_up(
    in_acme: Tenant, aggregation: str, quantity: str, parts: list[tuple[str, str, str]]
) -> None:
    make_meter("units", unit="unit", aggregation=aggregation)
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-01-01")
    use("org", "2026-01-10", units=5)
    use("red", "2026-01-11", units=9)
    use("red", "2026-01-12", units=7)
    run(at("2026-02-01"))
    assert totals() == [(quantity, f"{quantity}.00")]
    assert shares() == [parts]


def test_a_user_of_two_teams_is_one_user(in_acme: Tenant) -> None:
    make_meter("units", unit="user", aggregation="unique_count", value_property="user", dimensions=["model"])
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-01-01")
    for who, user, model in (("org", "ann", "m1"), ("red", "ann", "m2"), ("red", "bob", "m1")):
        use(who, "2026-01-10", user=user, model=model)
    run(at("2026-02-01"))
    assert totals() == [("2", "2.00")]
    # 2.00 by 1 : 2 is 0.67 and 1.33: each team's own number of users.
    assert shares() == [[("org", "1", "0.67"), ("red", "2", "1.33")]]


def test_levels_are_each_team_s_own(in_acme: Tenant) -> None:
    """Org has 1 seat from 1 January on. Red sets 2 on the 5th and joins on the 11th: its level counts from then on.

    31 days × 24 × 1 = 744 and 21 days × 24 × 2 = 1008 unit-hours. At the same time as another customer's level of
    the same dimension set: neither cuts the other off.
    """
    make_meter("units", unit="seat hour", aggregation="time_weighted_sum", value_property="seats")
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="0.01")))
    join("red", "2026-01-11")
    use("org", "2026-01-01", seats=1)
    use("red", "2026-01-05", seats=2)
    run(at("2026-02-01"))
    assert totals() == [("1752", "17.52")]
    assert shares() == [[("org", "744", "7.44"), ("red", "1008", "10.08")]]


def test_levels_in_thirds_of_an_hour_add_up(in_acme: Tenant) -> None:
    """20 minutes are 0.333… hours with 18 decimals each; all is the sum of what the teams have."""
    make_meter("units", unit="seat hour", aggregation="time_weighted_sum", value_property="seats")
    family("red", "blue")
    subscription = on("org", sell("a", metered("per_unit", unit_amount="1")))
    for team in ("red", "blue"):
        join(team, "2026-01-01")
        use(team, "2026-01-10 00:00", seats=1)
        use(team, "2026-01-10 00:20", seats=0)
    computed = compute_invoice(
        subscription=fresh(subscription), period=subscription.open_period, as_of=at("2026-02-01")
    )
    [line] = computed.lines
    assert line.quantity == sum(one.quantity for one in line.shares)


def test_a_change_of_plan_splits_the_teams_usage_too(units: None) -> None:
    """1.00 until the 16th, 2.00 from then on: red 3 + 5, org 1 + 1."""
    family("red")
    subscription = on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-01-01")
    other = sell("b", metered("per_unit", unit_amount="2"))
    change_subscription(subscription=subscription, when="now", now=at("2026-01-16"), plan_version=other)
    for who, day, amount in (("org", 10, 1), ("red", 11, 3), ("org", 20, 1), ("red", 21, 5)):
        use(who, f"2026-01-{day}", units=amount)
    run(at("2026-02-01"))
    assert totals() == [("4", "4.00"), ("6", "12.00")]
    assert shares() == [
        [("org", "1", "1.00"), ("red", "3", "3.00")],
        [("org", "1", "2.00"), ("red", "5", "10.00")],
    ]


def test_moved_to_another_parent_at_a_boundary(units: None) -> None:
    """January is org's and February new's, also for what comes late."""
    family("red")
    version = sell("a", metered("per_unit", unit_amount="1"))
    on("org", version)
    new = make_customer("new")
    on("new", version)
    join("red", "2026-01-01")
    with pytest.raises(Refused, match="Org pays for Red"):
        update_customer(customer=named("red"), parent=new)
    run(at("2026-02-01"))
    leave("red", "2026-02-01", now=at("2026-02-01"))
    update_customer(customer=named("red"), parent=new)
    join("red", "2026-02-01")
    use("red", "2026-01-31 23:59", units=1)
    use("red", "2026-02-01", units=2)
    run(at("2026-03-01"))
    org, new_one = (Invoice.objects.filter(customer=named(name)).latest("id") for name in ("org", "new"))
    assert (shares(org), shares(org, kind="adjustment")) == ([[]], [[("red", "1", "1.00")]])
    assert (shares(new_one), shares(new_one, kind="adjustment")) == ([[("red", "2", "2.00")]], [])


def test_usage_that_goes_from_one_team_to_another(units: None) -> None:
    """The organization owes the same, and an adjustment of nothing puts right who used it."""
    family("red", "blue")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    for team in ("red", "blue"):
        join(team, "2026-01-01")
    use("red", "2026-01-10", "wrong", units=3)
    run(at("2026-02-01"))
    void("wrong")
    use("blue", "2026-01-10", "right", units=3)
    run(at("2026-03-01"))
    assert totals("adjustment") == [("0", "0.00")]
    assert shares(kind="adjustment") == [[("red", "-3", "-3.00"), ("blue", "3", "3.00")]]


def void(event_id: str) -> None:
    void_event(event_id=event_id, reason="wrong team", now=at("2026-02-10"))


def test_events_that_bring_their_price(units: None) -> None:
    """A team pays for what its events cost, not for how many there were: 1 × 9.00 and 9 × 1.00."""
    family("red")
    on("org", sell("a", metered("dynamic", unit_amount_property="price")))
    join("red", "2026-01-01")
    use("org", "2026-01-10", units=1, price="9")
    use("red", "2026-01-11", units=9, price="1")
    use("red", "2026-01-12", units=5)
    run(at("2026-02-01"))
    assert totals() == [("10", "18.00")]
    assert shares() == [[("org", "1", "9.00"), ("red", "9", "9.00")]]
    # What brings no price is unpriced, and it says whose it is.
    [row] = Invoice.objects.get().unpriced
    assert (row["team"], row["quantity"]) == (named("red").public_id, "5")


def test_free_events_are_the_first_of_all(units: None) -> None:
    """10 % with the first two events free, in the order of time over all: of four the latter two, 400 and 800, cost."""
    family("red")
    on("org", sell("a", metered("percentage", rate="0.1", events_included=2)))
    join("red", "2026-01-01")
    for who, day, amount in (("red", 10, 100), ("org", 11, 200), ("red", 12, 400), ("org", 13, 800)):
        use(who, f"2026-01-{day}", units=amount)
    run(at("2026-02-01"))
    assert totals() == [("1500", "120.00")]
    assert shares() == [[("org", "1000", "80.00"), ("red", "500", "40.00")]]


def test_a_minimum_without_usage_is_the_organization_s(units: None) -> None:
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1", minimum_amount="5")))
    join("red", "2026-01-01")
    run(at("2026-02-01"))
    assert shares() == [[("org", "0", "5.00")]]


def test_without_teams_nothing_is_kept_apart(units: None) -> None:
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    use("org", "2026-01-10", units=1)
    use("red", "2026-01-10", units=1)
    run(at("2026-02-01"))
    assert totals() == [("1", "1.00")]
    assert not TeamShare.objects.exists()


def test_void_and_reissued_with_teams(units: None) -> None:
    """The new one is of the facts as they are now: red has 5 in place of 3."""
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-01-01")
    use("org", "2026-01-10", units=1)
    use("red", "2026-01-10", units=3)
    run(at("2026-02-01"))
    use("red", "2026-01-11", units=2)
    reissue_invoice(invoice=Invoice.objects.get(), reason="late", now=at("2026-02-03"))
    finalize_due_invoices(at("2026-02-05"))
    run(at("2026-03-01"))
    void, new, february = Invoice.objects.order_by("id")
    assert shares(void) == [[("org", "1", "1.00"), ("red", "3", "3.00")]]
    assert shares(new) == [[("org", "1", "1.00"), ("red", "5", "5.00")]]
    assert shares(february, kind="adjustment") == []


def test_free_for_the_teams_in_a_trial_of_everything(units: None) -> None:
    """Until 11 January all is free, and seen; a unit after it costs 1.00."""
    family("red")
    version = sell("a", metered("per_unit", unit_amount="1"))
    subscribe(
        customer=named("org"), plan_version=version, started_at=at("2026-01-01"), now=at("2026-01-01"),
        trial_days=10, trial_covers="everything",
    )  # fmt: skip
    join("red", "2026-01-05")
    use("red", "2026-01-06", units=2)
    use("red", "2026-01-12", units=1)
    run(at("2026-02-01"))
    assert shares() == [[("red", "2", "0.00")], [("red", "1", "1.00")]]


def test_a_team_billed_to_a_parent_that_pauses(units: None) -> None:
    """Nothing is priced meanwhile; what red used is shown as unpriced, with its name."""
    family("red")
    subscription = on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-01-01")
    pause(subscription=subscription, when="now", now=at("2026-01-11"))
    use("red", "2026-01-10", units=1)
    use("red", "2026-01-12", units=2)
    run(at("2026-02-01"))
    assert shares() == [[("red", "1", "1.00")]]
    [row] = Invoice.objects.get().unpriced
    assert (row["team"], row["quantity"]) == (named("red").public_id, "2")


# What is refused


def test_never_before_what_is_billed(units: None) -> None:
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    run(at("2026-02-01"))
    with pytest.raises(Refused, match="billed until 2026-02-01"):
        join("red", "2026-01-15", now=at("2026-02-02"))
    join("red", "2026-02-01", now=at("2026-02-02"))
    run(at("2026-03-01"))
    with pytest.raises(Refused, match="billed until 2026-03-01"):
        leave("red", "2026-02-20", now=at("2026-03-02"))
    assert leave("red", "2026-03-01", now=at("2026-03-02")).ends_at == at("2026-03-01")


def test_a_team_with_a_subscription_for_the_same_meter(units: None) -> None:
    """It can be billed to the parent from the end of its own on; and can't subscribe as long as it is."""
    family("red")
    version = sell("a", metered("per_unit", unit_amount="1"))
    on("org", version)
    own = on("red", version)
    with pytest.raises(Refused, match=r"both price Units") as caught:
        join("red", "2026-01-10")
    assert caught.value.code == "team_billed_itself"
    cancel_at(own, "2026-01-15")
    with pytest.raises(Refused):
        join("red", "2026-01-14")
    join("red", "2026-01-15", now=at("2026-01-10"))
    with pytest.raises(Refused, match="Org pays for Red") as caught:
        on("red", version, "2026-01-20")
    assert caught.value.code == "meter_billed_in_family"


def cancel_at(subscription: Subscription, on_day: str) -> None:
    cancel(subscription=subscription, when="date", at=at(on_day), unused="nothing", now=at("2026-01-02"))


def test_the_parent_can_t_take_a_meter_that_a_team_pays_itself(units: None) -> None:
    make_meter("other", unit="unit")
    family("red")
    one = sell("a", metered("per_unit", unit_amount="1"))
    other = sell("b", metered("per_unit", meter="other", unit_amount="1"))
    both = sell(
        "c", metered("per_unit", unit_amount="1"), metered("per_unit", meter="other", unit_amount="1")
    )
    mine = on("org", one)
    on("red", other)
    join("red", "2026-01-10")
    with pytest.raises(Refused, match="Red is billed to Org") as caught:
        change_subscription(subscription=mine, when="now", now=at("2026-01-12"), plan_version=both)
    assert caught.value.code == "meter_billed_in_family"


def test_each_meter_is_shown_with_who_prices_it(units: None) -> None:
    """Red pays for `other` itself and org for `units`: neither calls the other's usage unpriced."""
    make_meter("other", unit="unit")
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    on("red", sell("b", metered("per_unit", meter="other", unit_amount="1")))
    join("red", "2026-01-01")
    use("red", "2026-01-10", "r", units=1, other=2)
    run(at("2026-02-01"))
    assert [(one.customer.external_id, one.total_text, one.unpriced) for one in Invoice.objects.order_by("id")] == [
        ("org", "1.00", []), ("red", "2.00", []),
    ]  # fmt: skip


def test_chains_are_refused(units: None) -> None:
    org = family("red")
    make_customer("leaf", parent=named("red"))
    update_customer(customer=org, parent=make_customer("holding"))
    join("red", "2026-01-01")
    with pytest.raises(Refused) as caught:
        join("leaf", "2026-01-01")
    assert caught.value.code == "parent_is_billed_elsewhere"
    with pytest.raises(Refused) as caught:
        join("org", "2026-01-01")
    assert caught.value.code == "team_pays_for_teams"


def test_what_has_not_begun_never_was(units: None) -> None:
    family("red")
    on("org", sell("a", metered("per_unit", unit_amount="1")))
    join("red", "2026-02-01", now=at("2026-01-10"))
    stopped = stop_billing_team_to_parent(team=named("red"), when="now", now=at("2026-01-12"))
    assert (stopped.pk, stopped.ends_at) == (None, stopped.starts_at)
    with pytest.raises(Refused) as caught:
        leave("red", "2026-01-20")
    assert caught.value.code == "not_billed_to_parent"
    billing = bill_team_to_parent(team=named("red"), when="now", now=at("2026-01-20"))
    assert billing.starts_at == at("2026-01-20")
    with pytest.raises(Refused) as caught:
        join("red", "2026-01-21")
    assert caught.value.code == "already_billed_to_parent"
    assert leave("red", "2026-02-10", now=at("2026-01-21")).ends_at == at("2026-02-10")
    with pytest.raises(Refused) as caught:
        leave("red", "2026-02-11", now=at("2026-01-21") + timedelta(hours=1))
    assert caught.value.code == "ends_before"


def test_a_team_that_gets_another_parent_meanwhile(units: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for its rows finds another parent than it has asked for: that one's row is held as well, or the
    new parent could subscribe at the same moment to what the team pays itself.
    """
    family("red")
    other = make_customer("other")
    held: list[set[int]] = []

    def lock(customer_ids: list[int]) -> None:
        if not held:
            update_customer(customer=named("red"), parent=other)
        held.append(set(customer_ids))
        lock_family(customer_ids)

    monkeypatch.setattr(team_billing, "lock_family", lock)
    assert join("red", "2026-01-01").payer == other
    assert held[-1] == {named("red").pk, other.pk}
