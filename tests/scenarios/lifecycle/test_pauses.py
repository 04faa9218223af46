"""A pause stands in for what counted before it, and only for as long as it lasts."""

from apps.subscriptions.services.change_subscription import change_subscription, drop_scheduled_change
from apps.subscriptions.services.pause import pause, resume
from apps.tenants.models import Tenant
from tests.scenarios.lifecycle.words import at, base, bills, fresh, lines, run, sell, start


def test_a_paused_trial_is_a_trial_again(in_acme: Tenant) -> None:
    """Free until the 15th, whatever was between: 16 of 30 days."""
    subscription = start(sell("a", base("30"), trial_days=14), at("2026-04-01"))
    pause(subscription=subscription, when="now", now=at("2026-04-05"))
    resume(subscription=fresh(subscription), when="now", now=at("2026-04-08"))
    run(at("2026-05-01"))
    assert lines() == [("flat", "Base", "16.00")]


def test_a_trial_may_end_in_a_pause(in_acme: Tenant) -> None:
    """Paused from the 5th to the 20th: billed from then on, 11 of 30 days."""
    subscription = start(sell("a", base("30", "advance"), trial_days=14), at("2026-04-01"))
    pause(subscription=subscription, when="now", now=at("2026-04-05"))
    resume(subscription=fresh(subscription), when="now", now=at("2026-04-20"))
    run(at("2026-05-01"))
    assert sorted(bills()) == [("26-04-01", "26-05-01", "30.00"), ("26-04-20", "opening", "11.00")]


def test_another_pause_that_is_to_come_stays(in_acme: Tenant) -> None:
    """Paused from the 4th, resumed on the 7th; paused again from the 11th to the 16th: 3 + 4 + 15 of 30 days."""
    subscription = start(sell("a", base("30")), at("2026-04-01"))
    for first, last in (("11", "16"), ("04", "09")):
        pause(
            subscription=fresh(subscription), when="date", at=at(f"2026-04-{first}"),
            resume_at=at(f"2026-04-{last}"), now=at("2026-04-02"),
        )  # fmt: skip
    resume(subscription=fresh(subscription), when="now", now=at("2026-04-07"))
    run(at("2026-05-01"))
    assert [amount for _, _, amount in lines()] == ["3.00", "4.00", "15.00"]


def test_a_change_that_is_dropped_leaves_what_a_pause_stands_in_for(in_acme: Tenant) -> None:
    subscription = start(sell("a", base("30"), trial_days=14), at("2026-04-01"))
    pause(subscription=subscription, when="now", now=at("2026-04-05"))
    change_subscription(subscription=fresh(subscription), quantity=3, when="period_end", now=at("2026-04-06"))
    drop_scheduled_change(subscription=fresh(subscription), now=at("2026-04-07"))
    resume(subscription=fresh(subscription), when="now", now=at("2026-04-08"))
    run(at("2026-05-01"))
    assert lines() == [("flat", "Base", "16.00")]
