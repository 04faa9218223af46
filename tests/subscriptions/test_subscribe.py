"""Put a customer on a plan version."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.audit.models import AuditEntry
from apps.catalog.models import PlanVersion
from apps.catalog.services import plans, versions
from apps.core.errors import Refused
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.subscribe import subscribe
from apps.tenants.models import Tenant
from tests.harness.clients import Api
from tests.harness.evidence import nothing_changes_in
from tests.harness.factories import flat, make_customer, make_plan, make_subscription, per_unit

START = datetime(2026, 1, 11, 8, 30, tzinfo=UTC)


def test_a_calendar_subscription_is_first_billed_at_the_next_first(in_acme: Tenant) -> None:
    customer = make_customer(time_zone="Asia/Kathmandu")
    subscription = make_subscription(customer, started_at=START)
    assert subscription.time_zone == "Asia/Kathmandu"
    assert subscription.invoiced_until == START
    assert subscription.next_boundary_at.isoformat() == "2026-01-31T18:15:00+00:00"


def test_an_anniversary_subscription_is_first_billed_a_month_later(in_acme: Tenant) -> None:
    subscription = make_subscription(started_at=START, billing_anchor="anniversary")
    assert subscription.next_boundary_at.isoformat() == "2026-02-11T08:30:00+00:00"


def test_periods_stay_in_the_zone_in_which_they_began(in_acme: Tenant) -> None:
    customer = make_customer(time_zone="Europe/Berlin")
    make_subscription(customer, started_at=START)
    type(customer).objects.update(time_zone="America/New_York")
    assert Subscription.objects.get().schedule.boundary(1).isoformat() == "2026-01-31T23:00:00+00:00"


def test_leaves_an_entry_in_the_audit(in_acme: Tenant) -> None:
    subscription = make_subscription()
    entry = AuditEntry.objects.get(action="subscription.created")
    assert (entry.target_id, entry.actor_kind) == (subscription.public_id, "system")


def refusal(**arguments) -> str:
    with nothing_changes_in("acme"), pytest.raises(Refused) as refused:
        subscribe(started_at=START, now=START, **arguments)
    return refused.value.code


def test_refuses_a_draft(in_acme: Tenant) -> None:
    version = make_plan(publish=False)
    assert refusal(customer=make_customer(), plan_version=version) == "plan_version_not_on_offer"


def test_refuses_an_archived_version(in_acme: Tenant) -> None:
    version = versions.archive_version(version=make_plan())
    assert version.status == PlanVersion.Status.ARCHIVED
    assert refusal(customer=make_customer(), plan_version=version) == "plan_version_not_on_offer"


def test_refuses_another_currency(in_acme: Tenant) -> None:
    customer = make_customer(currency="EUR")
    make_subscription(customer, make_plan())
    customer.refresh_from_db()
    assert customer.currency == "USD", "the first subscription fixes the currency"
    other = make_plan("other", prices=[flat("1")], currency="EUR")
    assert refusal(customer=customer, plan_version=other) == "currency_mismatch"


def test_refuses_the_same_plan_twice(in_acme: Tenant) -> None:
    subscription = make_subscription()
    assert (
        refusal(customer=subscription.customer, plan_version=subscription.plan_version)
        == "already_subscribed"
    )


def test_refuses_another_plan_for_a_meter_that_is_billed(in_acme: Tenant) -> None:
    """Usage would be billed twice."""
    subscription = make_subscription()
    other = make_plan("other", [flat("1"), per_unit("input_tokens", "1")])
    assert refusal(customer=subscription.customer, plan_version=other) == "meter_billed_elsewhere"
    assert make_subscription(subscription.customer, make_plan("seat", [flat("5")])).pk


def test_refuses_a_start_of_long_ago(in_acme: Tenant) -> None:
    with pytest.raises(Refused) as refused:
        subscribe(
            customer=make_customer(),
            plan_version=make_plan(),
            started_at=START,
            now=START + timedelta(days=1831),
        )
    assert refused.value.code == "started_too_early"


def test_the_api_takes_the_newest_published_version(in_acme: Tenant, acme_api: Api) -> None:
    make_customer()
    first = make_plan()
    plans.draft_version(plan=first.plan, currency="USD", prices=[flat("1")])
    response = acme_api.post("/subscriptions", {"customer": "chat", "plan": "payg"})
    assert (response.status_code, response.json()["plan_version"]) == (201, 1)


def test_the_api_refuses_what_is_not_there(in_acme: Tenant, acme_api: Api) -> None:
    make_customer()
    make_plan()
    for body, code in (
        ({"customer": "nobody", "plan": "payg"}, "customer_not_found"),
        ({"customer": "chat", "plan": "nothing"}, "plan_version_not_found"),
        ({"customer": "chat", "plan": "payg", "version": 2}, "plan_version_not_found"),
    ):
        response = acme_api.post("/subscriptions", body)
        assert (response.status_code, response.json()["code"]) == (404, code)
    assert not Subscription.objects.exists()
