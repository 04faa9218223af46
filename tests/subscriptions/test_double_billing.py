"""Whatever gives a subscription time, no usage is billed by two of them.

The scene: A bills calls from 1 January to 1 February 2026, B from 1 February on. Wherever A gained a day of February
a call of that day would be billed by both, 1.00 by A and 2.00 by B instead of 2.00.
"""

import pytest

from apps.core.errors import Refused
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel, reactivate
from apps.subscriptions.services.change_subscription import change_subscription, drop_scheduled_change
from apps.subscriptions.services.change_time_zone import change_time_zone
from apps.subscriptions.services.subscribe import subscribe
from apps.tenants.models import Tenant
from tests.harness.factories import make_meter
from tests.scenarios.lifecycle.words import at, base, calls, fresh, run, sell, start

NOW = at("2026-01-12")


@pytest.fixture
def a(in_acme: Tenant) -> Subscription:
    make_meter("calls", aggregation="count", unit="call")
    return start(sell("a", calls("1")), at("2026-01-01"))


def ends_in_february(a: Subscription) -> None:
    cancel(subscription=a, when="period_end", unused="nothing", now=at("2026-01-10"))


def followed_by_b(a: Subscription) -> None:
    subscribe(
        customer=a.customer, plan_version=sell("b", calls("2")), started_at=at("2026-02-01"),
        now=at("2026-01-11"),
    )  # fmt: skip


def test_reactivated_after_another_took_its_place(a: Subscription) -> None:
    ends_in_february(a)
    followed_by_b(a)
    with pytest.raises(Refused) as refused:
        reactivate(subscription=a, now=NOW)
    assert refused.value.code == "meter_billed_elsewhere"
    assert fresh(a).ends_at == at("2026-02-01")


def test_reactivated_beside_the_same_plan(a: Subscription) -> None:
    ends_in_february(a)
    subscribe(
        customer=a.customer, plan_version=a.plan_version, started_at=at("2026-02-01"), now=at("2026-01-11")
    )
    with pytest.raises(Refused) as refused:
        reactivate(subscription=a, now=NOW)
    assert refused.value.code == "already_subscribed"


def test_reactivated_when_nobody_has_the_time(a: Subscription) -> None:
    ends_in_february(a)
    reactivate(subscription=a, now=NOW)
    assert fresh(a).ends_at is None


def test_a_dropped_change_would_bring_the_meter_back(a: Subscription) -> None:
    """From February on A was to ask for a flat fee; so B may bill calls, and A may not do so again."""
    change_subscription(
        subscription=a, plan_version=sell("f", base("5")), when="period_end", now=at("2026-01-10")
    )
    followed_by_b(a)
    with pytest.raises(Refused) as refused:
        drop_scheduled_change(subscription=fresh(a), now=NOW)
    assert refused.value.code == "meter_billed_elsewhere"
    assert a.phases.count() == 2


def test_cancelled_again_with_a_later_end(a: Subscription) -> None:
    """The same end or an earlier one is welcome, the 2nd of February is not."""
    ends_in_february(a)
    followed_by_b(a)
    with pytest.raises(Refused) as refused:
        cancel(subscription=fresh(a), when="date", at=at("2026-02-02"), unused="nothing", now=NOW)
    assert refused.value.code == "meter_billed_elsewhere"
    cancel(subscription=fresh(a), when="date", at=at("2026-01-20"), unused="nothing", now=NOW)
    assert fresh(a).ends_at == at("2026-01-20")


def test_an_end_that_moves_with_the_time_zone(a: Subscription) -> None:
    """February begins five hours later in New York, and those five hours are B's."""
    ends_in_february(a)
    followed_by_b(a)
    with pytest.raises(Refused) as refused:
        change_time_zone(subscription=fresh(a), time_zone="America/New_York", now=NOW)
    assert refused.value.code == "meter_billed_elsewhere"
    assert (fresh(a).ends_at, fresh(a).time_zone) == (at("2026-02-01"), "UTC")
    # East of it February begins earlier: A ends before B begins.
    change_time_zone(subscription=fresh(a), time_zone="Europe/Berlin", now=NOW)
    assert fresh(a).ends_at == at("2026-01-31 23:00")


def test_backdated_over_one_that_has_ended(a: Subscription) -> None:
    """A billed a call of 5 January and ended on the 15th; who begins on the 1st would bill that call again."""
    cancel(subscription=a, when="date", at=at("2026-01-15"), unused="nothing", now=at("2026-01-10"))
    run(at("2026-01-16"))
    assert fresh(a).status == Subscription.Status.ENDED
    b = sell("b", calls("2"))
    for version, code in ((b, "meter_billed_elsewhere"), (a.plan_version, "already_subscribed")):
        with pytest.raises(Refused) as refused:
            subscribe(
                customer=a.customer, plan_version=version, started_at=at("2026-01-14 23:59"),
                now=at("2026-01-20"),
            )  # fmt: skip
        assert refused.value.code == code
    subscribe(customer=a.customer, plan_version=b, started_at=at("2026-01-15"), now=at("2026-01-20"))


def test_changed_to_the_meter_of_one_that_has_ended(a: Subscription) -> None:
    """A billed calls until 15 January. One with a flat fee from the 1st may bill calls from the 15th, not before."""
    cancel(subscription=a, when="date", at=at("2026-01-15"), unused="nothing", now=at("2026-01-10"))
    run(at("2026-01-16"))
    other = subscribe(
        customer=a.customer, plan_version=sell("f", base("5")), started_at=at("2026-01-01"),
        now=at("2026-01-20"),
    )  # fmt: skip
    b = sell("b", calls("2"))
    with pytest.raises(Refused) as refused:
        change_subscription(
            subscription=other, plan_version=b, when="date", at=at("2026-01-14"), now=at("2026-01-20")
        )
    assert refused.value.code == "meter_billed_elsewhere"
    change_subscription(
        subscription=fresh(other), plan_version=b, when="date", at=at("2026-01-15"), now=at("2026-01-20")
    )
