"""Events that come after the last invoice of an ended subscription: shown with what they would have cost."""

from decimal import Decimal

import pytest
from django_tenants.utils import tenant_context

from apps.core import clock
from apps.invoices.models import Invoice
from apps.invoices.services.close_periods import close_due_periods
from apps.invoices.services.late_after_end import late_after_end
from apps.subscriptions.models import Subscription
from apps.subscriptions.services.cancel import cancel
from apps.tenants.models import Tenant
from tests.harness.clients import Staff
from tests.harness.factories import an_event, make_meter, report
from tests.scenarios.lifecycle.words import at, calls, run, sell, start

NOW = at("2026-01-20")


@pytest.fixture
def ending(in_acme: Tenant) -> Subscription:
    """2.00 a call from 1 to 15 January, with one call that is on the last invoice."""
    make_meter("calls", aggregation="count", unit="call")
    subscription = start(sell("a", calls("2")), at("2026-01-01"))
    cancel(
        subscription=subscription, when="date", at=at("2026-01-15"), unused="nothing", now=at("2026-01-10")
    )
    called("known", "2026-01-05T00:00:00Z")
    return subscription


def called(event_id: str, timestamp: str) -> None:
    [verdict] = report(an_event(event_id, timestamp=timestamp, properties={}), now=NOW)
    assert verdict.status == "accepted", verdict


def test_names_events_and_amount(ending: Subscription) -> None:
    """Three calls came late, 3 * 2.00 = 6.00; one after the end is nobody's."""
    run(at("2026-01-16"))
    assert Invoice.objects.get().total == 2
    assert late_after_end(now=NOW) == []
    for number in range(3):
        called(f"late-{number}", "2026-01-06T00:00:00Z")
    called("after", "2026-01-15T00:00:00Z")
    [found] = late_after_end(now=NOW)
    assert (found.subscription, found.event_count, found.amount) == (ending, 3, Decimal("6.00"))


def test_a_draft_takes_it_still(ending: Subscription) -> None:
    close_due_periods(at("2026-01-16"))
    called("late", "2026-01-06T00:00:00Z")
    assert late_after_end(now=NOW) == []


def test_staff_see_it_beside_what_is_parked(
    ending: Subscription, acme: Tenant, olga: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    run(at("2026-01-16"))
    called("late", "2026-01-06T00:00:00Z")
    shown = Subscription.objects.get()
    page = olga.get("/admin/invoices/invoice/parked/").content.decode()
    with tenant_context(acme):
        assert shown.public_id in page
    assert "Late usage of ended subscriptions" in page
