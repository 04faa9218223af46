"""A team and its parent change what bills a meter at the same moment: one of them is refused, whoever is first."""

from functools import partial

from apps.core.errors import Refused
from apps.customers.models import TeamBilling
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.subscribe import subscribe
from apps.subscriptions.services.team_billing import bill_team_to_parent
from apps.tenants.models import Tenant
from tests.concurrency.together import together
from tests.harness.factories import make_meter
from tests.invoices.ledger import metered
from tests.scenarios.lifecycle.families import family, join, named, use
from tests.scenarios.lifecycle.words import at, base, sell

START, NOW = at("2026-01-01"), at("2026-01-10")


def codes(results: list[object]) -> list[str]:
    return sorted(one.code if isinstance(one, Refused) else type(one).__name__ for one in results)


def test_the_team_subscribes_while_the_parent_changes_its_plan(fresh_database: str, in_acme: Tenant) -> None:
    make_meter("units", unit="unit")
    fees, usage = sell("fees", base("1")), sell("usage", metered("per_unit", unit_amount="1"))
    for number in range(5):
        org = family(f"red{number}", organization=f"org{number}")
        mine = subscribe(customer=org, plan_version=fees, started_at=START, now=START)
        join(f"red{number}", "2026-01-01")
        change = partial(change_subscription, subscription=mine, when="now", now=NOW, plan_version=usage)
        begin = partial(
            subscribe, customer=named(f"red{number}"), plan_version=usage, started_at=NOW, now=NOW
        )
        assert codes(together(in_acme, [change, begin])) == ["Subscription", "meter_billed_in_family"]


def test_the_team_subscribes_while_it_is_billed_to_the_parent(fresh_database: str, in_acme: Tenant) -> None:
    make_meter("units", unit="unit")
    usage = sell("usage", metered("per_unit", unit_amount="1"))
    for number in range(5):
        org = family(f"red{number}", organization=f"org{number}")
        subscribe(customer=org, plan_version=usage, started_at=START, now=START)
        team = named(f"red{number}")
        bill = partial(bill_team_to_parent, team=team, when="now", now=NOW)
        begin = partial(subscribe, customer=team, plan_version=usage, started_at=NOW, now=NOW)
        found = codes(together(in_acme, [bill, begin]))
        assert found in (["Subscription", "team_billed_itself"], ["TeamBilling", "meter_billed_in_family"])


def test_billed_to_the_parent_while_its_period_is_closed(fresh_database: str, in_acme: Tenant) -> None:
    """Either the draft has the team or the time was billed already; never a team that was left out."""
    make_meter("units", unit="unit")
    usage = sell("usage", metered("per_unit", unit_amount="1"))
    for number in range(5):
        org = family(f"red{number}", organization=f"org{number}")
        subscribe(customer=org, plan_version=usage, started_at=START, now=START)
        use(f"red{number}", "2026-01-20", units=3)
        bill = partial(
            bill_team_to_parent, team=named(f"red{number}"), when="date", at=START, now=at("2026-02-01")
        )
        billed, _ = together(in_acme, [bill, partial(close_due_periods, at("2026-02-01"))])
        close_due_periods(at("2026-02-01"))
        total = Invoice.objects.get(customer=org).total
        if isinstance(billed, TeamBilling):
            assert total == 3
        else:
            assert (codes([billed]), total) == (["already_billed"], 0)


def test_many_teams_of_one_parent_at_once(fresh_database: str, in_acme: Tenant) -> None:
    names = [f"red{number}" for number in range(6)]
    family(*names)
    subscribe(customer=named("org"), plan_version=sell("fees", base("1")), started_at=START, now=START)
    calls = [partial(bill_team_to_parent, team=named(name), when="now", now=NOW) for name in (*names, *names)]
    found = codes(together(in_acme, calls))
    assert found == ["TeamBilling"] * 6 + ["already_billed_to_parent"] * 6
    assert Subscription.objects.count() == 1
