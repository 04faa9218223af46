"""Shares in days: every day belongs to one plan, wherever in it something changes."""

from decimal import Decimal

import pytest

from apps.catalog.services import plans, versions
from apps.core.errors import Refused
from apps.invoices.models import Invoice
from apps.subscriptions.services.cancel import cancel
from apps.subscriptions.services.change_subscription import change_subscription
from apps.subscriptions.services.pause import pause
from apps.tenants.models import Tenant
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import an_event, make_meter, report
from tests.scenarios.lifecycle.words import at, base, bills, calls, fresh, lines, run, sell, start


@pytest.mark.parametrize("unused", ["credit", "nothing"])
def test_a_day_that_a_period_ends_in_is_used_until_there(in_acme: Tenant, unused: str) -> None:
    """Paid until 15 May, 14:00: cancelled that morning nothing is left, and nothing of the next month is owed."""
    version = sell("a", base("30", "advance"), proration="day")
    subscription = start(version, at("2026-04-15 14:00"), billing_anchor="anniversary")
    run(at("2026-05-01"))
    cancel(subscription=subscription, when="now", unused=unused, now=at("2026-05-15 10:00"))
    assert fresh(subscription).ends_at == at("2026-05-15 14:00")
    run(at("2026-06-01"))
    assert [total for _, _, total in bills()] == ["30.00", "0.00"]


def test_cancelled_where_a_period_ends_the_next_one_costs_nothing(in_acme: Tenant) -> None:
    version = sell("a", base("30", "advance"), proration="day")
    subscription = start(version, at("2026-04-15 14:00"), billing_anchor="anniversary")
    run(at("2026-05-01"))
    end = at("2026-05-15 14:00")
    cancel(subscription=subscription, when="date", at=end, unused="credit", now=at("2026-05-02"))
    assert fresh(subscription).ends_at == end


@pytest.mark.parametrize(("old", "new"), [("day", "second"), ("second", "day")])
@pytest.mark.parametrize("timing", ["advance", "arrears"])
def test_between_days_and_seconds_no_hour_is_lost(in_acme: Tenant, old: str, new: str, timing: str) -> None:
    """Changed on the 15th at 23:00, it counts from midnight: 14 days of the one, 16 of the other: 1400 + 1600."""
    subscription = start(sell("a", base("3000", timing), proration=old), at("2026-04-01"))
    run(at("2026-04-01"))
    other = sell("b", base("3000", timing), proration=new)
    change_subscription(subscription=subscription, plan_version=other, when="now", now=at("2026-04-15 23:00"))
    run(at("2026-05-01"))
    april = Invoice.objects.filter(lines__period_start__lt=at("2026-05-01")).distinct()
    amounts = [
        line.amount for one in april for line in one.lines.all() if line.period_start < at("2026-05-01")
    ]
    assert sum(amounts, Decimal(0)) == 3000


def test_what_counts_at_the_instant_says_how_days_are_counted(in_acme: Tenant) -> None:
    """By day until the 20th, by second afterwards: a pause on the 10th at noon counts from midnight, 9 of 30 days."""
    subscription = start(sell("a", base("30"), proration="day"), at("2026-04-01"))
    other = sell("b", base("30"))
    change_subscription(
        subscription=subscription, plan_version=other, when="date", at=at("2026-04-20"), now=at("2026-04-02")
    )
    pause(subscription=fresh(subscription), when="now", now=at("2026-04-10 12:00"))
    run(at("2026-05-01"))
    assert lines() == [("flat", "Base", "9.00")]


def test_moved_by_a_publication_the_day_is_the_new_version_s(in_acme: Tenant) -> None:
    """On the 15th at 14:00: 14 days of 30 and 16 of 60 a month; a call of that morning costs 2."""
    make_meter("calls", aggregation="count", unit="call")
    version = sell("a", base("30"), calls("1"), proration="day")
    start(version, at("2026-04-01"))
    draft = plans.draft_version(
        plan=version.plan, currency="USD", prices=[base("60"), calls("2")], proration="day"
    )
    versions.publish_version(version=draft, now=at("2026-04-15 14:00"), existing="now")
    report(an_event("e", timestamp="2026-04-15T09:00:00Z", properties={}), now=at("2026-04-16"))
    run(at("2026-05-01"))
    amounts = [(kind, amount) for kind, _, amount in lines()]
    assert sorted(amounts) == [("flat", "14.00"), ("flat", "32.00"), ("usage", "0.00"), ("usage", "2.00")]


@pytest.mark.parametrize(
    ("when", "param"), [({"when": "period_end"}, "/when"), ({"when": "date", "at": at("2026-04-25")}, "/at")]
)
def test_a_change_after_the_end_is_refused(in_acme: Tenant, when: dict[str, object], param: str) -> None:
    """It would never take effect, or come to life with a reactivation that nobody thinks of it at."""
    subscription = start(sell("a", base("30")), at("2026-04-01"))
    other = sell("b", base("60"))
    cancel(subscription=subscription, when="date", at=at("2026-04-20"), unused="credit", now=at("2026-04-02"))
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        change_subscription(subscription=subscription, plan_version=other, now=at("2026-04-03"), **when)
    assert (refused.value.code, refused.value.param) == ("ends_before", param)
