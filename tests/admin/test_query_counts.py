"""A page asks the database the same number of questions whether there is little or much to show."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.invoices.services.close_periods import close_due_periods
from tests.admin.business import Business
from tests.admin.test_pages import page
from tests.harness.clients import Staff
from tests.harness.factories import (
    an_event,
    make_customer,
    make_meter,
    make_plan,
    make_subscription,
    per_unit,
    report,
)

LISTS = [
    "access.apikey",
    "access.staffuser",
    "audit.auditentry",
    "auth.group",
    "catalog.meter",
    "catalog.plan",
    "catalog.planversion",
    "catalog.pricebook",
    "customers.customer",
    "invoices.billingrun",
    "invoices.invoice",
    "invoices.legalentity",
    "invoices.parkedsubscription",
    "subscriptions.negotiatedversion",
    "subscriptions.subscription",
    "usage.archivedpartition",
    "usage.quarantinedevent",
    "usage.meterbackfill",
    "usage.usagebackfill",
    "usage.usagecorrection",
    "usage.usageevent",
    "usage.usageimport",
]
PAGES = ["/admin/", "/admin/?usage=30d", *(page(model, "changelist") for model in LISTS)]


@pytest.fixture
def queries_of(olga: Staff) -> Callable[[str], int]:
    olga.get("/admin/")  # signs in

    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert olga.get(path).status_code == 200
        return len(captured)

    return count


def grow(business: Business, customers: int = 12) -> None:
    """Customers with plans, invoices, events and quarantine of their own."""
    now = clock.now()
    for index in range(customers):
        name = f"more-{index}"
        make_meter(f"meter_{index}", event_name=f"event.{index}")
        version = make_plan(f"plan-{index}", [per_unit(f"meter_{index}", "0.01")])
        make_subscription(
            make_customer(name, parent=business.customer),
            version,
            started_at=business.this_month - timedelta(days=5),
        )
        report(
            an_event(
                f"m{index}",
                customer=name,
                event=f"event.{index}",
                properties={f"meter_{index}": 5},
                timestamp=None,
            ),
            an_event(f"q{index}", customer="nobody"),
            now=now,
        )
    close_due_periods(now)


def test_pages_cost_the_same_however_much_there_is(
    business: Business, queries_of: Callable[[str], int]
) -> None:
    before = {path: queries_of(path) for path in PAGES}
    grow(business)
    after = {path: queries_of(path) for path in PAGES}
    # More meters than are charted change nothing either.
    assert after == before


def test_the_home_page_has_a_budget(business: Business, queries_of: Callable[[str], int]) -> None:
    assert queries_of("/admin/") <= 33


def test_lists_have_a_budget(business: Business, queries_of: Callable[[str], int]) -> None:
    assert {path: count for path in PAGES[2:] if (count := queries_of(path)) > 16} == {}


def test_records_have_a_budget(business: Business, queries_of: Callable[[str], int]) -> None:
    assert queries_of(page("invoices.invoice", "change", business.draft.pk)) <= 18
    assert queries_of(page("customers.customer", "change", business.customer.pk)) <= 38
    assert queries_of(page("subscriptions.subscription", "change", business.subscription.pk)) <= 36


def test_the_list_of_events_never_counts_them(olga: Staff, business: Business) -> None:
    with CaptureQueriesContext(connection) as captured:
        olga.get(page("usage.usageevent", "changelist"))
    asked = [query["sql"] for query in captured if "usage_usageevent" in query["sql"]]
    assert asked
    assert [sql for sql in asked if "COUNT(" in sql.upper()] == []
