"""Whatever teams use: what they have of a line is the line, and a batch costs the same for one team and for many."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, InternalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import tenant_context
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.customers.models import TeamBilling
from apps.invoices.models import Invoice, InvoiceLine, TeamShare
from apps.invoices.services.close_periods import close_due_periods, close_period
from apps.rating import exact_sum
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.team_billing import bill_team_to_parent
from apps.tenants.models import Tenant
from tests.harness.evidence import rolled_back
from tests.harness.factories import an_event, make_customer, make_meter, make_plan, make_subscription, report
from tests.invoices.ledger import FEBRUARY, JANUARY, MARCH, metered
from tests.scenarios.lifecycle.families import TIERS, family, join, named
from tests.scenarios.lifecycle.words import at, run

EXAMPLES = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
TEAMS = ["t0", "t1", "t2"]
WHO = ["org", *TEAMS]
QUANTITY = st.decimals(min_value="0", max_value="1000", places=6, allow_nan=False)
USED = st.lists(st.tuples(st.sampled_from(WHO), st.integers(0, 58), QUANTITY), max_size=12)
PRICES = {
    "graduated": lambda: metered("graduated", tiers=TIERS),
    "package": lambda: metered("package", package_size="7", unit_amount="3"),
    "dynamic": lambda: metered("dynamic", unit_amount_property="price"),
    "minimum": lambda: metered("per_unit", unit_amount="0.0123", minimum_amount="5", quantity_included="9"),
}


def reported(rows: list[tuple[str, int, Decimal]], name: str) -> None:
    events = [
        an_event(
            f"{name}-{index}", customer=who, timestamp=(JANUARY + timedelta(days=day)).isoformat(),
            properties={"units": str(quantity), "price": str(day % 3)},
        )
        for index, (who, day, quantity) in enumerate(rows)
    ]  # fmt: skip
    if events:
        assert {one.status for one in report(*events, now=MARCH)} == {"accepted"}


@pytest.mark.parametrize("price", PRICES)
@EXAMPLES
@given(used=USED, late=USED, joined=st.lists(st.integers(1, 58), min_size=3, max_size=3))
def test_parts_are_the_line(
    in_acme: Tenant,
    price: str,
    used: list[tuple[str, int, Decimal]],
    late: list[tuple[str, int, Decimal]],
    joined: list[int],
) -> None:
    with rolled_back():
        make_meter("units", unit="unit")
        family(*TEAMS)
        make_subscription(named("org"), make_plan("a", [PRICES[price]()]))
        for team, day in zip(TEAMS, joined, strict=True):
            bill_team_to_parent(team=named(team), when="date", at=JANUARY + timedelta(days=day), now=JANUARY)
        reported(used, "used")
        run(MARCH)
        reported(late, "late")
        run(MARCH + timedelta(days=31))
        for line in InvoiceLine.objects.exclude(quantity=None):
            shares = list(line.team_shares.all())
            if not shares:
                assert (line.amount, line.quantity) == (0, 0) or not TeamBilling.objects.filter(
                    starts_at__lt=line.period_end
                )
                continue
            assert exact_sum(one.amount for one in shares) == line.amount
            assert exact_sum(one.quantity for one in shares) == line.quantity
            assert sum(one.event_count for one in shares) == line.event_count
        # Over all invoices a team has what it used since it joined.
        for team, day in zip(TEAMS, joined, strict=True):
            wanted = [quantity for who, on, quantity in (*used, *late) if who == team and day <= on]
            got = TeamShare.objects.filter(customer=named(team)).values_list("quantity", flat=True)
            assert exact_sum(got) == exact_sum(wanted)


def make_many(families: int, teams: int) -> None:
    """Every way of reading usage, with several dimension sets, joining in the midst of the period."""
    for code, more in (
        ("units", {"dimensions": ["model"]}),
        ("users", {"aggregation": "unique_count", "dimensions": ["model"]}),
        ("seats", {"aggregation": "time_weighted_sum", "dimensions": ["model"]}),
        ("spent", {}),
        ("paid", {}),
        ("forgotten", {}),
    ):
        make_meter(code, **more)
    version = make_plan(
        "all",
        [
            metered("graduated", tiers=TIERS),
            metered("per_unit", meter="users", unit_amount="5"),
            metered("per_unit", meter="seats", unit_amount="0.01"),
            metered("dynamic", meter="spent", unit_amount_property="price"),
            metered("percentage", meter="paid", rate="0.1", events_included=2),
        ],
    )
    for number in range(families):
        names = [f"o{number}-t{index}" for index in range(teams)]
        org = family(*names, organization=f"o{number}")
        make_subscription(org, version)
        for index, name in enumerate(names):
            join(name, f"2026-01-{index % 9 + 2:02}")
        report(
            *(
                an_event(
                    f"{name}-{index}",
                    customer=name,
                    timestamp=(JANUARY + timedelta(days=5 * index, hours=5)).isoformat(),
                    properties={
                        "units": index, "users": f"u{index}", "seats": index, "spent": 1, "paid": 9, "forgotten": 1,
                        "price": "2", "model": f"m{index % 2}",
                    },
                )
                for name in (f"o{number}", *names)
                for index in range(6)
            ),
            now=FEBRUARY,
        )  # fmt: skip


def test_closing_costs_the_same_for_one_team_and_for_many(in_acme: Tenant) -> None:
    counts = []
    for families, teams in ((1, 1), (1, 12), (6, 4)):
        with rolled_back():
            make_many(families, teams)
            with CaptureQueriesContext(connection) as captured:
                assert close_due_periods(FEBRUARY) == families
            counts.append(len(captured))
            assert TeamShare.objects.count() > teams
    assert counts == [counts[0]] * 3
    assert counts[0] <= 55


def test_a_batch_is_what_each_would_be_alone(in_acme: Tenant) -> None:
    make_many(3, 2)
    with rolled_back():
        close_due_periods(FEBRUARY)
        together = documents()
    for subscription in Subscription.objects.order_by("-id"):
        assert close_period(subscription_id=subscription.pk, now=FEBRUARY)
    assert documents() == together
    assert len(together) == 3 * 5 * 3


def documents() -> list[tuple[Any, ...]]:
    rows = TeamShare.objects.values_list(
        "line__invoice__customer_id", "line__price_id", "customer_id", "quantity", "event_count", "amount"
    )
    return sorted(rows)


# What the database holds


def test_no_two_at_a_time_for_one_team(in_acme: Tenant) -> None:
    org = family("red", "blue")
    other = make_customer("other")
    red = named("red")
    make = TeamBilling.objects.create
    make(team=red, payer=org, starts_at=JANUARY, ends_at=FEBRUARY)
    for start, end in ((JANUARY, None), (at("2026-01-31"), MARCH), (at("2025-12-01"), None)):
        with pytest.raises(IntegrityError, match="team_billing_once_at_a_time"), transaction.atomic():
            make(team=red, payer=other, starts_at=start, ends_at=end)
    make(team=red, payer=other, starts_at=FEBRUARY)
    make(team=named("blue"), payer=org, starts_at=JANUARY)
    for fields, name in (
        ({"team": org, "payer": org, "starts_at": MARCH}, "team_billing_by_another"),
        ({"team": other, "payer": org, "starts_at": MARCH, "ends_at": MARCH}, "team_billing_in_order"),
    ):
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            make(**fields)


def test_nothing_but_its_end_changes(in_acme: Tenant) -> None:
    org = family("red")
    billing = TeamBilling.objects.create(team=named("red"), payer=org, starts_at=JANUARY)
    TeamBilling.objects.update(ends_at=FEBRUARY)
    for change in ({"starts_at": at("2026-01-02")}, {"payer": make_customer("other")}):
        with (
            pytest.raises((IntegrityError, InternalError), match="nothing but its end"),
            transaction.atomic(),
        ):
            TeamBilling.objects.filter(pk=billing.pk).update(**change)


def test_shares_are_frozen_with_their_line(in_acme: Tenant) -> None:
    make_meter("units", unit="unit")
    make_subscription(family("red"), make_plan("a", [metered("per_unit", unit_amount="1")]))
    join("red", "2026-01-01")
    reported([("red", 3, Decimal(2))], "used")
    run(FEBRUARY)
    share = TeamShare.objects.get()
    assert not Invoice.objects.get().is_draft
    changes = (
        lambda: TeamShare.objects.update(amount=0),
        lambda: TeamShare.objects.all().delete(),
        lambda: TeamShare.objects.create(
            line=share.line, customer=named("org"), quantity=1, event_count=1, amount=0
        ),
    )
    for change in changes:
        with pytest.raises((IntegrityError, InternalError), match="finalized"), transaction.atomic():
            change()


def test_another_tenant_has_none_of_it(in_acme: Tenant, globex: Tenant) -> None:
    """The same names there are other customers, billed by themselves."""
    make_meter("units", unit="unit")
    make_subscription(family("red"), make_plan("a", [metered("per_unit", unit_amount="1")]))
    join("red", "2026-01-01")
    with tenant_context(globex):
        make_meter("units", unit="unit")
        make_subscription(family("red"), make_plan("a", [metered("per_unit", unit_amount="1")]))
        reported([("red", 3, Decimal(2)), ("org", 3, Decimal(1))], "used")
        run(FEBRUARY)
        assert Invoice.objects.get().total == 1
        assert not TeamShare.objects.exists()
    run(FEBRUARY)
    assert Invoice.objects.get().total == 0
